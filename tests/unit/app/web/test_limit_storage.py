"""flask-limiter's storage counts in Galley's windows."""

import time

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.infra.rate_limit import FallbackWindows
from app.web.limit_storage import WindowStorage


@pytest.fixture
def storage() -> Storage:
    return WindowStorage("galley://", windows=FallbackWindows(None))


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
    assert 58 < stats.reset_time - time.time() <= 60


def test_it_can_always_count_and_never_forgets_early(storage: Storage) -> None:
    assert storage.check()
    with pytest.raises(NotImplementedError):
        storage.reset()
    with pytest.raises(NotImplementedError):
        storage.clear("a")
