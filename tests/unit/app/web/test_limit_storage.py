"""flask-limiter's storage counts in Galley's windows."""

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from limits import RateLimitItemPerMinute
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.infra.rate_limit import FallbackWindows, Window
from app.web.limit_storage import WindowStorage


class Trips(FallbackWindows):
    """Remembers how many hits were counted in each trip."""

    def __init__(self) -> None:
        super().__init__(None)
        self.made: list[int] = []

    def add(self, key: str, hits: int, window_s: int) -> Window:
        """Go."""
        self.made.append(hits)
        return super().add(key, hits, window_s)


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


@pytest.fixture
def trips() -> Trips:
    return Trips()


@pytest.fixture
def storage(app: Flask, trips: Trips) -> Iterator[Storage]:
    with app.app_context():
        yield WindowStorage("galley://", windows=trips)


def test_the_library_finds_it_by_its_uri() -> None:
    assert isinstance(storage_from_string("galley://", windows=FallbackWindows(None)), WindowStorage)


def test_the_librarys_strategy_counts_with_it(storage: Storage) -> None:
    limiter, limit = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(2)
    passed = [limiter.hit(limit, "a") for _ in range(3)]
    stats = limiter.get_window_stats(limit, "a")

    assert passed == [True, True, False]
    assert not limiter.test(limit, "a")
    assert limiter.test(limit, "b")
    assert stats.remaining == 0
    assert 50 < stats.reset_time - time.time() <= 60


def test_what_a_hit_said_is_good_for_the_rest_of_the_request(app: Flask, storage: Storage, trips: Trips) -> None:
    limiter, limit = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(5)
    for _ in range(2):
        limiter.hit(limit, "a")
    remaining = limiter.get_window_stats(limit, "a").remaining
    with app.app_context():
        limiter.hit(limit, "a")

    assert (remaining, trips.made) == (3, [1, 1, 1])
    with app.app_context():
        assert limiter.get_window_stats(limit, "a").remaining == 2
    assert trips.made == [1, 1, 1, 0]


def test_it_can_always_count_and_never_forgets_early(storage: Storage) -> None:
    assert storage.check()
    with pytest.raises(NotImplementedError):
        storage.reset()
    with pytest.raises(NotImplementedError):
        storage.clear("a")
