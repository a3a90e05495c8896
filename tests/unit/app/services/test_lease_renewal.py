"""A lease is renewed while the work goes on, and its loss is known at the next step."""

import threading

import pytest

from app.errors import DatabaseUnavailable
from app.services.lease_renewal import LeaseLost, Renewal, renewing
from tests.factories.waiting import wait_until

SOON_S = 0.01


def is_lost(renewal: Renewal) -> bool:
    try:
        renewal.check()
    except LeaseLost:
        return True
    return False


def test_lease_is_renewed_until_the_block_ends() -> None:
    renewed = threading.Semaphore(0)

    def renew() -> bool:
        renewed.release()
        return True

    with renewing(renew, every_s=SOON_S, what="test") as renewal:
        assert all(renewed.acquire(timeout=10) for _ in range(3))
        renewal.check()
    assert not any("lease of test" in thread.name for thread in threading.enumerate())


def test_loss_is_known_and_not_argued_with() -> None:
    calls: list[int] = []

    def renew() -> bool:
        calls.append(1)
        return False

    with renewing(renew, every_s=SOON_S, what="test") as renewal:
        wait_until(lambda: is_lost(renewal))
        with pytest.raises(LeaseLost):
            renewal.check()
    assert calls == [1]


def test_outage_is_no_loss() -> None:
    heard = threading.Semaphore(0)

    def renew() -> bool:
        heard.release()
        raise DatabaseUnavailable("away")

    with renewing(renew, every_s=SOON_S, what="test") as renewal:
        assert all(heard.acquire(timeout=10) for _ in range(3))
        renewal.check()


def test_work_can_be_told_to_stop() -> None:
    renewal = Renewal()
    assert not is_lost(renewal)
    renewal.note_loss()

    assert is_lost(renewal)
