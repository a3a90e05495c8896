"""Callers of the same at the same time: one model call, and each one's own failures."""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
import pytest
from gevent.event import Event

from app.errors import DeadlineExceeded, QueueFull
from app.inference.answer_cache import AnswerCache
from app.inference.cache import CacheAnswer, CacheDirectives, CacheOutcome, CacheUse
from app.inference.cache_shared import pack_value
from tests.factories.cached_calls import BAD_ROW, AskedModel, make_cache, make_call
from tests.fakes.clock import START, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> AnswerCache:
    return make_cache(clock)


@pytest.fixture
def gate() -> Event:
    """Holds whoever asks the slow model."""
    return Event()


@pytest.fixture
def slow(gate: Event) -> AskedModel:
    return AskedModel(before=gate.wait)


def spawn(
    cache: AnswerCache, model: Callable[..., Any], *rows: bytes, **changes: Any
) -> "gevent.Greenlet[..., CacheAnswer]":
    """Let a caller of its own call, up to where it waits."""
    greenlet = gevent.spawn(cache.answer, make_call(*rows, **changes), model)
    gevent.sleep(0)
    return greenlet


def refuse() -> None:
    """Fail like a full queue, after others had time to come."""
    gevent.sleep(0.01)
    raise QueueFull("Full.")


def test_many_callers_make_one_call(cache: AnswerCache, gate: Event, slow: AskedModel) -> None:
    callers = [spawn(cache, slow, b"a") for _ in range(50)]
    gate.set()
    answers = [caller.get() for caller in callers]

    assert slow.calls == [[b"a"]]
    assert {bytes(answer.rows[0]) for answer in answers} == {b"a by call 1"}
    assert [answer.outcome for answer in answers] == [CacheOutcome.MISS] + [CacheOutcome.HIT] * 49
    assert answers[1].queue_s == answers[1].compute_s == 0.0


def test_what_overlaps_is_asked_for_once_and_nobody_waits_for_ever(
    cache: AnswerCache, gate: Event, slow: AskedModel
) -> None:
    """Each leads a row that the other one follows."""
    one = spawn(cache, slow, b"a", b"b")
    two = spawn(cache, slow, b"b", b"c", b"a")
    three = spawn(cache, slow, b"c", b"b")
    gate.set()

    assert one.get(timeout=5).rows == [b"a by call 1", b"b by call 1"]
    assert two.get(timeout=5).rows == [b"b by call 1", b"c by call 2", b"a by call 1"]
    assert three.get(timeout=5).rows == [b"c by call 2", b"b by call 1"]
    assert slow.calls == [[b"a", b"b"], [b"c"]]


def test_a_failed_leader_fails_alone(cache: AnswerCache) -> None:
    model, broken = AskedModel(), AskedModel(before=refuse)
    leader = spawn(cache, broken, b"a")
    followers = [spawn(cache, model, b"a") for _ in range(3)]

    outcomes = [follower.get(timeout=5).outcome for follower in followers]
    assert isinstance(leader.exception, QueueFull)
    # One of those who waited leads in its place.
    assert sorted(outcomes) == [CacheOutcome.HIT, CacheOutcome.HIT, CacheOutcome.MISS]
    assert (len(broken.calls), len(model.calls)) == (1, 1)


def test_after_two_failures_each_asks_for_itself(cache: AnswerCache) -> None:
    broken = AskedModel(before=refuse)
    asking = [spawn(cache, broken, b"a") for _ in range(4)]
    gevent.joinall(asking, timeout=5)

    assert all(isinstance(one.exception, QueueFull) for one in asking)
    assert len(broken.calls) == 4


def test_a_killed_leader_strands_nobody(cache: AnswerCache, slow: AskedModel) -> None:
    model = AskedModel()
    leader = spawn(cache, slow, b"a", b"b")
    follower = spawn(cache, model, b"b")
    leader.kill()

    assert follower.get(timeout=5).rows == [b"b by call 1"]
    assert cache.answer(make_call(b"a"), model).rows == [b"a by call 2"]


def test_a_leader_whose_time_was_shorter_fails_alone(cache: AnswerCache) -> None:
    def run_out() -> None:
        gevent.sleep(0.01)
        raise DeadlineExceeded(0.01)

    model = AskedModel()
    leader = spawn(cache, AskedModel(before=run_out), b"a", deadline=0.01)
    follower = spawn(cache, model, b"a")

    assert follower.get(timeout=5).rows == [b"a by call 1"]
    assert isinstance(leader.exception, DeadlineExceeded)


def test_a_follower_waits_no_longer_than_it_may(cache: AnswerCache, gate: Event, slow: AskedModel) -> None:
    leader = spawn(cache, slow, b"a", deadline=60.0)
    follower = spawn(cache, slow, b"a", deadline=0.05)
    follower.join(timeout=5)
    gate.set()

    assert isinstance(follower.exception, DeadlineExceeded)
    assert follower.exception.detail == "The answer was not ready within 0.05 s."
    assert leader.get(timeout=5).rows == [b"a by call 1"]
    assert len(slow.calls) == 1


def test_a_row_that_failed_for_the_leader_is_asked_for_again(cache: AnswerCache, gate: Event, slow: AskedModel) -> None:
    callers = [spawn(cache, slow, b"a", BAD_ROW), spawn(cache, slow, BAD_ROW, b"a")]
    gate.set()
    gevent.joinall(callers, timeout=5)

    assert slow.calls == [[b"a", BAD_ROW], [BAD_ROW]]
    assert [row.row for caller in callers for row in caller.value.rows if not isinstance(row, bytes)] == [1, 0]


def test_who_wants_a_fresh_answer_follows_nobody(cache: AnswerCache, gate: Event, slow: AskedModel) -> None:
    bypass = CacheDirectives(CacheUse.BYPASS)
    callers = [spawn(cache, slow, b"a"), spawn(cache, slow, b"a", directives=bypass)]
    gate.set()
    gevent.joinall(callers, timeout=5)

    assert slow.calls == [[b"a"], [b"a"]]


def test_a_follower_refuses_what_is_too_old_for_it(cache: AnswerCache, clock: FakeClock, gate: Event) -> None:
    """The leader found it in Redis; the follower wants a younger one."""
    clock.advance(30)

    def read(keys: Sequence[str]) -> Sequence[bytes | None]:
        gate.wait()
        return [pack_value(b"kept", START)] * len(keys)

    model = AskedModel()
    leader = spawn(cache, model, b"a", read_shared=read)
    follower = spawn(cache, model, b"a", directives=CacheDirectives(max_age_s=20), deadline=60.0)
    gate.set()

    assert leader.get(timeout=5).rows == [b"kept"]
    assert leader.value.age_s == 30.0
    assert follower.get(timeout=5).rows == [b"a by call 1"]


def test_redis_is_read_once_for_a_call_and_never_for_what_others_ask(cache: AnswerCache, gate: Event) -> None:
    reads: list[int] = []

    def read(keys: Sequence[str]) -> Sequence[bytes | None]:
        reads.append(len(keys))
        gate.wait()
        return [None] * len(keys)

    model = AskedModel()
    callers = [spawn(cache, model, b"a", b"b", read_shared=read), spawn(cache, model, b"b", b"a", read_shared=read)]
    gate.set()
    gevent.joinall(callers, timeout=5)
    cache.answer(make_call(b"a", read_shared=read), model)

    assert reads == [2]
    assert model.calls == [[b"a", b"b"]]
