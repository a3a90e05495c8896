"""Both tiers together: what Redis has keeps its age, and is remembered here."""

from collections.abc import Sequence

from app.inference.cache_keys import CacheKeys, shared_key
from app.inference.cache_local import LocalCache
from app.inference.cache_shared import SharedCache, pack_value, unpack_value
from app.inference.cache_tiers import CacheTiers
from tests.factories.cached_calls import make_call
from tests.fakes.clock import START, FakeClock

NEVER = float("-inf")


class MemoryCache(SharedCache):
    """A Redis whose content the test sets and sees."""

    def __init__(self) -> None:
        super().__init__(None)
        self.values: dict[str, bytes] = {}
        self.ttl_s: dict[str, float] = {}

    def read(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [self.values.get(key) for key in keys]

    def write(self, key: str, value: bytes, ttl_s: float) -> None:
        self.values[key], self.ttl_s[key] = value, ttl_s


def make_tiers() -> tuple[CacheTiers, MemoryCache, FakeClock]:
    shared, clock = MemoryCache(), FakeClock()
    return CacheTiers(LocalCache(2**20), shared, clock.clock()), shared, clock


def test_what_is_kept_is_in_both_tiers() -> None:
    tiers, shared, _ = make_tiers()
    kept = tiers.keep(make_call(ttl_s=30), b"k", b"answer")

    assert (kept.born_at, kept.expires_at) == (0.0, 30.0)
    assert tiers.local.get(b"k", 29.0, oldest=0.0) == kept
    assert unpack_value(shared.values[shared_key(b"k")]) == (START, b"answer")
    assert shared.ttl_s == {shared_key(b"k"): 30}


def test_a_view_of_a_message_is_kept_in_neither() -> None:
    tiers, shared, _ = make_tiers()
    kept = tiers.keep(make_call(), b"k", memoryview(b"answer"))

    assert bytes(kept.frame) == b"answer"
    assert (len(tiers.local), shared.values) == (0, {})


def test_what_is_recalled_is_as_old_as_it_is() -> None:
    tiers, shared, clock = make_tiers()
    shared.values[shared_key(b"a")] = pack_value(b"answer", START - 10)
    clock.advance(5)
    found = tiers.recall(make_call(ttl_s=60), [b"a", b"b"], oldest=NEVER)

    assert found.keys() == {b"a"}
    assert (found[b"a"].frame, found[b"a"].born_at, found[b"a"].expires_at) == (b"answer", -10, 50)
    assert tiers.local.get(b"a", 5.0, oldest=NEVER) == found[b"a"]


def test_what_is_too_old_for_the_caller_is_not_recalled() -> None:
    tiers, shared, _ = make_tiers()
    shared.values[shared_key(b"a")] = pack_value(b"answer", START - 10)

    assert tiers.recall(make_call(), [b"a"], oldest=-9.0) == {}
    assert tiers.recall(make_call(), [b"a"], oldest=-10.0).keys() == {b"a"}


def test_nothing_is_computed_in_the_future() -> None:
    """The clock of the machine that wrote it is ahead."""
    tiers, shared, _ = make_tiers()
    shared.values[shared_key(b"a")] = pack_value(b"answer", START + 100)

    assert tiers.recall(make_call(), [b"a"], oldest=NEVER)[b"a"].born_at == 0.0


def test_what_is_no_value_is_not_recalled() -> None:
    tiers, shared, _ = make_tiers()
    shared.values[shared_key(b"a")] = b"short"

    assert tiers.recall(make_call(), [b"a"], oldest=NEVER) == {}


def test_a_request_may_bring_its_own_way_to_read() -> None:
    tiers, _, _ = make_tiers()
    (key,) = CacheKeys().of(make_call(b"row"))
    asked: list[Sequence[str]] = []

    def read(keys: Sequence[str]) -> Sequence[bytes | None]:
        asked.append(keys)
        return [pack_value(b"answer", START)]

    assert tiers.recall(make_call(read_shared=read), [key], oldest=NEVER)[key].frame == b"answer"
    assert asked == [[shared_key(key)]]


def test_the_same_answer_is_written_again_after_half_its_time() -> None:
    tiers, shared, clock = make_tiers()
    call = make_call(ttl_s=30)
    tiers.keep(call, b"k", b"answer")
    shared.values.clear()

    clock.advance(14)
    assert tiers.keep(call, b"k", b"answer").born_at == 14.0
    assert shared.values == {}
    clock.advance(2)
    tiers.keep(call, b"k", b"answer")
    assert shared.values


def test_another_answer_is_written_at_once() -> None:
    tiers, shared, clock = make_tiers()
    tiers.keep(make_call(), b"k", b"answer")
    clock.advance(1)
    tiers.keep(make_call(), b"k", b"another")

    kept = tiers.local.get(b"k", 1.0, oldest=NEVER)
    assert kept is not None
    assert kept.frame == b"another"
    assert unpack_value(shared.values[shared_key(b"k")]) == (START + 1, b"another")
