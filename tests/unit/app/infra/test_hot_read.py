"""What one trip brings, without Redis; with it: tests/integration/test_hot_read.py."""

import pytest

from app.infra.hot_read import HotRead
from app.infra.rate_limit import FallbackWindows, LotRequest, Window
from tests.fakes.clock import FakeClock


@pytest.fixture
def hot_read() -> HotRead:
    return HotRead(None, FallbackWindows(None, FakeClock().clock()))


def test_without_redis_lots_are_counted_here(hot_read: HotRead) -> None:
    lot = LotRequest("a", 5, 60, asked_at=0.0)

    assert hot_read.run(lot, []) == (Window(5, 60), [])
    assert hot_read.run(lot, ["k"]) == (Window(10, 60), [None])


def test_without_redis_no_key_holds_anything(hot_read: HotRead) -> None:
    assert hot_read.run(None, ["k", "l"]) == (None, [None, None])


def test_who_wants_nothing_gets_nothing(hot_read: HotRead) -> None:
    assert hot_read.run(None, []) == (None, [])
