"""What a process remembers is bounded by bytes and by time, and the least recently used goes first."""

from hypothesis import given
from hypothesis import strategies as st

from app.inference.cache import Kept
from app.inference.cache_local import ENTRY_BYTES, LARGEST_BYTES, LocalCache

FOREVER = float("inf")
NEVER = float("-inf")


def kept(frame: bytes | memoryview = b"answer", *, born_at: float = 0.0, expires_at: float = FOREVER) -> Kept:
    return Kept(frame, born_at, expires_at)


def room_for(entries: int, frame: bytes = b"answer") -> LocalCache:
    return LocalCache(entries * (len(frame) + ENTRY_BYTES))


def keys_of(cache: LocalCache, *keys: bytes) -> list[bytes]:
    return [key for key in keys if cache.get(key, 0.0, oldest=NEVER)]


def test_an_entry_is_found_until_its_time_is_over() -> None:
    cache = room_for(2)
    cache.put(b"a", kept(expires_at=10.0), 0.0)

    assert cache.get(b"a", 9.9, oldest=NEVER) == kept(expires_at=10.0)
    assert cache.get(b"a", 10.0, oldest=NEVER) is None
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_an_entry_too_old_for_one_stays_for_others() -> None:
    cache = room_for(2)
    cache.put(b"a", kept(born_at=5.0), 5.0)

    assert cache.get(b"a", 6.0, oldest=5.5) is None
    assert cache.get(b"a", 6.0, oldest=5.0) == kept(born_at=5.0)


def test_the_least_recently_used_makes_way() -> None:
    cache = room_for(2)
    cache.put(b"a", kept(), 0.0)
    cache.put(b"b", kept(), 0.0)
    cache.get(b"a", 0.0, oldest=NEVER)
    cache.put(b"c", kept(), 0.0)

    assert keys_of(cache, b"a", b"b", b"c") == [b"a", b"c"]


def test_the_younger_of_two_stays() -> None:
    cache = room_for(2)
    cache.put(b"a", kept(b"new", born_at=2.0), 2.0)
    cache.put(b"a", kept(b"old", born_at=1.0), 2.0)
    first = cache.get(b"a", 2.0, oldest=NEVER)
    cache.put(b"a", kept(b"newer", born_at=3.0), 3.0)
    second = cache.get(b"a", 3.0, oldest=NEVER)

    assert first is not None
    assert first.frame == b"new"
    assert second is not None
    assert second.frame == b"newer"
    assert cache.size_bytes == len(b"newer") + ENTRY_BYTES


def test_what_is_too_large_or_no_copy_is_not_kept() -> None:
    cache = LocalCache(4 * LARGEST_BYTES)
    cache.put(b"a", kept(bytes(LARGEST_BYTES)), 0.0)
    cache.put(b"b", kept(memoryview(b"a view holds the whole message")), 0.0)
    small = LocalCache(ENTRY_BYTES)
    small.put(b"a", kept(), 0.0)

    assert (len(cache), len(small)) == (0, 0)


def test_a_cache_without_room_keeps_nothing() -> None:
    cache = LocalCache(0)
    cache.put(b"a", kept(b""), 0.0)

    assert cache.get(b"a", 0.0, oldest=NEVER) is None


def test_memory_of_entries_whose_time_is_over_is_freed_by_new_ones() -> None:
    cache = room_for(100)
    for number in range(50):
        cache.put(b"old%d" % number, kept(expires_at=1.0), 0.0)
    for number in range(25):
        cache.put(b"new%d" % number, kept(), 2.0)

    assert len(cache) == 25


@given(
    limit_bytes=st.integers(0, 5000),
    puts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1500), st.integers(0, 50)), max_size=60),
)
def test_bytes_never_exceed_the_limit_and_are_counted_right(limit_bytes: int, puts: list[tuple[int, int, int]]) -> None:
    cache = LocalCache(limit_bytes)
    for now, (name, size_bytes, life) in enumerate(puts):
        cache.put(bytes([name]), kept(bytes(size_bytes), born_at=now, expires_at=now + life), now)
        cache.get(bytes([life % 10]), now, oldest=now - 20)

        assert cache.size_bytes <= limit_bytes
        assert cache.size_bytes == sum(len(entry.frame) + ENTRY_BYTES for entry in cache._entries.values())
