"""Kept and fresh answers in one: the right row for each, never too old, never another version's."""

from typing import Any

import pytest

from app.errors import NotCached, QueueFull
from app.inference.answer_cache import AnswerCache
from app.inference.cache import NO_CACHE, CacheAnswer, CacheDirectives, CacheOutcome, CacheUse
from app.inference.cache_metrics import AGE, BYPASSED, REQUESTS
from app.inference.messages import RowFailure
from model_store.model_ref import ModelRef
from tests.factories.cached_calls import BAD_ROW, AskedModel, make_cache, make_call
from tests.fakes.clock import FakeClock

BYPASS = CacheDirectives(CacheUse.BYPASS)
ONLY_KEPT = CacheDirectives(is_only_if_cached=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> AnswerCache:
    return make_cache(clock)


@pytest.fixture
def model() -> AskedModel:
    return AskedModel()


def first(answer: CacheAnswer) -> tuple[Any, CacheOutcome]:
    return answer.rows[0], answer.outcome


def test_the_same_again_is_answered_from_memory(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    fresh = cache.answer(make_call(b"a"), model)
    clock.advance(7)
    kept = cache.answer(make_call(b"a"), model)

    assert fresh == CacheAnswer([b"a by call 1"], CacheOutcome.MISS, 0.0, 0.25, 0.5)
    assert kept == CacheAnswer([b"a by call 1"], CacheOutcome.HIT, 7.0)
    assert model.calls == [[b"a"]]


def test_only_missing_rows_are_asked_for_and_all_come_in_order(cache: AnswerCache, model: AskedModel) -> None:
    cache.answer(make_call(b"b", b"d"), model)
    answer = cache.answer(make_call(b"a", b"b", b"c", b"d", b"e"), model)

    assert model.calls[1] == [b"a", b"c", b"e"]
    assert answer.rows == [b"a by call 2", b"b by call 1", b"c by call 2", b"d by call 1", b"e by call 2"]
    assert answer.outcome is CacheOutcome.MISS


def test_equal_rows_are_asked_for_once(cache: AnswerCache, model: AskedModel) -> None:
    answer = cache.answer(make_call(b"a", b"b", b"a", bytearray(b"b")), model)

    assert model.calls == [[b"a", b"b"]]
    assert answer.rows == [b"a by call 1", b"b by call 1", b"a by call 1", b"b by call 1"]


def test_failures_are_told_at_their_place_and_not_kept(cache: AnswerCache, model: AskedModel) -> None:
    cache.answer(make_call(b"a"), model)
    answers = [cache.answer(make_call(b"a", BAD_ROW, b"b", BAD_ROW), model) for _ in range(2)]

    assert [row.row for row in answers[0].rows if isinstance(row, RowFailure)] == [1, 3]
    assert model.calls[1:] == [[BAD_ROW, b"b"], [BAD_ROW]]
    assert answers[1].outcome is CacheOutcome.MISS


def test_a_failed_call_is_not_kept(cache: AnswerCache, model: AskedModel) -> None:
    def refuse() -> None:
        raise QueueFull("Full.")

    with pytest.raises(QueueFull):
        cache.answer(make_call(b"a"), AskedModel(before=refuse))

    assert first(cache.answer(make_call(b"a"), model)) == (b"a by call 1", CacheOutcome.MISS)


@pytest.mark.parametrize("change", [{"digest": "e" * 64}, {"ref": ModelRef("digits", 2)}, {"client_id": "c1"}])
def test_another_version_or_client_is_asked_itself(
    cache: AnswerCache, model: AskedModel, change: dict[str, Any]
) -> None:
    cache.answer(make_call(b"a"), model)

    assert first(cache.answer(make_call(b"a", **change), model)) == (b"a by call 2", CacheOutcome.MISS)


def test_answers_are_kept_no_longer_than_their_time(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    for step_s in (0, 59.9, 0.2):
        clock.advance(step_s)
        cache.answer(make_call(b"a"), model)

    assert len(model.calls) == 2


def test_a_shorter_time_counts_at_once(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    """Two aliases lead to one version and keep for different times; or somebody lowered it."""
    cache.answer(make_call(b"a", ttl_s=600), model)
    clock.advance(10)

    assert first(cache.answer(make_call(b"a", ttl_s=5), model)) == (b"a by call 2", CacheOutcome.MISS)
    assert first(cache.answer(make_call(b"a", ttl_s=600), model)) == (b"a by call 2", CacheOutcome.HIT)


def test_a_caller_may_want_younger_answers(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    cache.answer(make_call(b"a"), model)
    clock.advance(10)
    outcomes = [cache.answer(make_call(b"a", directives=CacheDirectives(max_age_s=age)), model) for age in (10, 9)]

    assert [answer.outcome for answer in outcomes] == [CacheOutcome.HIT, CacheOutcome.MISS]


def test_bypassing_asks_anew_and_keeps_what_comes(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    cache.answer(make_call(b"a"), model)
    clock.advance(1)
    fresh = cache.answer(make_call(b"a", b"b", b"a", directives=BYPASS), model)

    assert fresh == CacheAnswer([b"a by call 2", b"b by call 2", b"a by call 2"], CacheOutcome.BYPASS, 0.0, 0.25, 0.5)
    assert first(cache.answer(make_call(b"a"), model)) == (b"a by call 2", CacheOutcome.HIT)


def test_no_store_neither_reads_nor_keeps(cache: AnswerCache, model: AskedModel) -> None:
    kept = cache.answer(make_call(b"a"), model)
    secret = cache.answer(make_call(b"a", b"b", directives=NO_CACHE), model)

    assert (secret.rows, secret.outcome) == ([b"a by call 2", b"b by call 2"], CacheOutcome.BYPASS)
    assert cache.answer(make_call(b"a"), model).rows == kept.rows
    assert cache.answer(make_call(b"b"), model).outcome is CacheOutcome.MISS


def test_who_takes_kept_answers_only_never_asks_the_model(cache: AnswerCache, model: AskedModel) -> None:
    cache.answer(make_call(b"a"), model)

    assert first(cache.answer(make_call(b"a", directives=ONLY_KEPT), model)) == (b"a by call 1", CacheOutcome.HIT)
    for rows, use in (((b"a", b"b"), CacheUse.USE), ((b"a",), CacheUse.BYPASS), ((b"a",), CacheUse.OFF)):
        with pytest.raises(NotCached):
            cache.answer(make_call(*rows, directives=CacheDirectives(use, is_only_if_cached=True)), model)
    assert len(model.calls) == 1


def test_the_age_of_an_answer_is_that_of_its_oldest_row(
    cache: AnswerCache, clock: FakeClock, model: AskedModel
) -> None:
    cache.answer(make_call(b"a"), model)
    clock.advance(3)
    cache.answer(make_call(b"b"), model)
    clock.advance(2)

    assert cache.answer(make_call(b"b", b"a"), model).age_s == 5.0


def test_hits_misses_bypasses_and_ages_are_counted(cache: AnswerCache, clock: FakeClock, model: AskedModel) -> None:
    name = "counted"

    def ask(*rows: bytes, **changes: Any) -> None:
        cache.answer(make_call(*rows, ref=ModelRef(name, 1), **changes), model)

    ask(b"a")
    clock.advance(4)
    ask(b"a")
    ask(b"a", b"b")
    ask(b"a", directives=BYPASS)

    counts = {
        tier: [REQUESTS.labels(tier, how, name)._value.get() for how in ("hit", "miss")] for tier in ("local", "shared")
    }
    assert counts == {"local": [1, 2], "shared": [0, 2]}
    assert BYPASSED.labels(name)._value.get() == 1
    assert AGE.labels(name)._sum.get() == 4.0
