"""Windows count, end and start anew; without Redis each process counts for itself. With Redis: tests/integration."""

import pytest

from app.errors import RedisUnavailable
from app.infra import rate_limit
from app.infra.rate_limit import REST_S, RateLimit, RateLimiter, Usage
from tests.fakes.clock import FakeClock

THREE_A_MINUTE = RateLimit(3, 60)


class BrokenWindows:
    """Shared windows that fail while `is_away`, and count the calls."""

    def __init__(self) -> None:
        self.is_away = True
        self.calls = 0

    def add(self, key: str, hits: int, limit: RateLimit) -> Usage:
        self.calls += 1
        if self.is_away:
            raise RedisUnavailable("The test took it away.")
        return Usage(limit, 1, limit.window_s)


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limiter(time: FakeClock) -> RateLimiter:
    return RateLimiter(None, time.clock())


@pytest.mark.parametrize(
    ("text", "limit"),
    [("50/second", RateLimit(50, 1)), ("10/minute", RateLimit(10, 60)), ("7/hour", RateLimit(7, 3600))],
)
def test_limits_are_read_as_settings_write_them(text: str, limit: RateLimit) -> None:
    assert RateLimit.parse(text) == limit


def test_hits_up_to_the_limit_pass_and_the_next_does_not(limiter: RateLimiter) -> None:
    usages = [limiter.hit("a", THREE_A_MINUTE) for _ in range(4)]

    assert [usage.remaining for usage in usages] == [2, 1, 0, 0]
    assert [usage.is_exceeded for usage in usages] == [False, False, False, True]
    assert usages[2].is_spent


def test_a_window_ends_after_its_first_hits_time(limiter: RateLimiter, time: FakeClock) -> None:
    for _ in range(4):
        limiter.hit("a", THREE_A_MINUTE)
    time.advance(59)
    assert limiter.hit("a", THREE_A_MINUTE).is_exceeded
    time.advance(1)

    usage = limiter.hit("a", THREE_A_MINUTE)
    assert (usage.count, usage.reset_after_s) == (1, 60)


def test_looking_counts_nothing(limiter: RateLimiter) -> None:
    assert limiter.look("a", THREE_A_MINUTE) == Usage(THREE_A_MINUTE, 0, 0.0)
    limiter.hit("a", THREE_A_MINUTE)

    assert limiter.look("a", THREE_A_MINUTE).count == limiter.look("a", THREE_A_MINUTE).count == 1


def test_keys_do_not_share_windows(limiter: RateLimiter) -> None:
    limiter.hit("a", THREE_A_MINUTE)

    assert limiter.hit("b", THREE_A_MINUTE).count == 1


@pytest.fixture
def shared() -> BrokenWindows:
    return BrokenWindows()


@pytest.fixture
def fragile(shared: BrokenWindows, time: FakeClock, monkeypatch: pytest.MonkeyPatch) -> RateLimiter:
    monkeypatch.setattr(rate_limit, "RedisWindows", lambda _client: shared)
    return RateLimiter(object(), time.clock())  # type: ignore[arg-type]  # handed to RedisWindows only


def test_while_redis_is_away_the_limit_holds_in_this_process(fragile: RateLimiter) -> None:
    usages = [fragile.hit("a", THREE_A_MINUTE) for _ in range(4)]

    assert [usage.is_exceeded for usage in usages] == [False, False, False, True]


def test_while_redis_is_away_it_is_asked_seldom(fragile: RateLimiter, shared: BrokenWindows, time: FakeClock) -> None:
    for _ in range(10):
        fragile.hit("a", THREE_A_MINUTE)
    assert shared.calls == 1

    time.advance(REST_S)
    for _ in range(10):
        fragile.hit("a", THREE_A_MINUTE)
    assert shared.calls == 2


def test_redis_is_used_again_when_it_is_back(fragile: RateLimiter, shared: BrokenWindows, time: FakeClock) -> None:
    fragile.hit("a", THREE_A_MINUTE)
    shared.is_away = False
    time.advance(REST_S)
    before = shared.calls
    for _ in range(3):
        fragile.hit("a", THREE_A_MINUTE)

    assert shared.calls == before + 3
