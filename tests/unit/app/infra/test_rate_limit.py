"""Windows count, end and start anew; without Redis each process counts for itself. With Redis: tests/integration."""

import pytest
from redis.exceptions import ResponseError

from app.errors import RedisUnavailable
from app.infra import rate_limit
from app.infra.rate_limit import FallbackWindows, RateLimit, Window
from app.infra.redis_rest import REST_S
from tests.fakes.clock import FakeClock


class BrokenWindows:
    """Shared windows that fail with `error`, if there is one, and count the calls."""

    def __init__(self) -> None:
        self.error: Exception | None = RedisUnavailable("The test took it away.")
        self.calls = 0

    def add_and_read(
        self, key: str, hits: int, window_s: int, *, keys: tuple[str, ...]
    ) -> tuple[Window, list[bytes | None]]:
        self.calls += 1
        if self.error:
            raise self.error
        return Window(100, window_s), [key.encode() for key in keys]


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def windows(time: FakeClock) -> FallbackWindows:
    return FallbackWindows(None, time.clock())


@pytest.mark.parametrize(
    ("text", "limit"),
    [("50/second", RateLimit(50, 1)), ("10/minute", RateLimit(10, 60)), ("7/hour", RateLimit(7, 3600))],
)
def test_limits_are_read_as_settings_write_them(text: str, limit: RateLimit) -> None:
    assert RateLimit.parse(text) == limit


def test_hits_add_up(windows: FallbackWindows) -> None:
    assert [windows.add("a", 1, 60).count for _ in range(4)] == [1, 2, 3, 4]


def test_a_window_ends_after_its_first_hits_time(windows: FallbackWindows, time: FakeClock) -> None:
    windows.add("a", 3, 60)
    time.advance(59)
    assert windows.add("a", 1, 60) == Window(4, 1)
    time.advance(1)

    assert windows.add("a", 1, 60) == Window(1, 60)


def test_looking_counts_nothing(windows: FallbackWindows) -> None:
    assert windows.add("a", 0, 60) == Window(0, 0.0)
    windows.add("a", 1, 60)

    assert windows.add("a", 0, 60) == windows.add("a", 0, 60) == Window(1, 60)


def test_keys_do_not_share_windows(windows: FallbackWindows) -> None:
    windows.add("a", 1, 60)

    assert windows.add("b", 1, 60).count == 1


@pytest.fixture
def shared() -> BrokenWindows:
    return BrokenWindows()


@pytest.fixture
def fragile(shared: BrokenWindows, time: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FallbackWindows:
    monkeypatch.setattr(rate_limit, "RedisWindows", lambda _client: shared)
    return FallbackWindows(object(), time.clock())  # type: ignore[arg-type]  # handed to RedisWindows only


@pytest.mark.parametrize("error", [RedisUnavailable("away"), ResponseError("MISCONF no disk to write to")])
def test_while_redis_cannot_count_this_process_does(
    fragile: FallbackWindows, shared: BrokenWindows, error: Exception
) -> None:
    shared.error = error

    assert [fragile.add("a", 1, 60).count for _ in range(4)] == [1, 2, 3, 4]


def test_while_redis_is_away_it_is_asked_seldom(
    fragile: FallbackWindows, shared: BrokenWindows, time: FakeClock
) -> None:
    for _ in range(10):
        fragile.add("a", 1, 60)
    assert shared.calls == 1

    time.advance(REST_S)
    for _ in range(10):
        fragile.add("a", 1, 60)
    assert shared.calls == 2


def test_redis_is_used_again_when_it_is_back(fragile: FallbackWindows, shared: BrokenWindows, time: FakeClock) -> None:
    fragile.add("a", 1, 60)
    shared.error = None
    time.advance(REST_S)

    assert [fragile.add("a", 1, 60).count for _ in range(3)] == [100] * 3


def test_what_is_read_besides_comes_in_the_same_call(fragile: FallbackWindows, shared: BrokenWindows) -> None:
    shared.error = None

    assert fragile.add_and_read("a", 1, 60, keys=("k", "l")) == (Window(100, 60), [b"k", b"l"])
    assert shared.calls == 1


def test_while_redis_is_away_nothing_is_read(fragile: FallbackWindows) -> None:
    assert fragile.add_and_read("a", 1, 60, keys=("k", "l")) == (Window(1, 60), [None, None])
