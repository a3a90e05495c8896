"""The bell that ends the controller's wait."""

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from workers.controller.wake import WakeBell


@pytest.fixture
def bell() -> Iterator[WakeBell]:
    bell = WakeBell()
    yield bell
    bell.close()


def is_ringing(bell: WakeBell, timeout_s: float = 0.0) -> bool:
    return bool(select.select([bell], [], [], timeout_s)[0])


def test_bell_rings_from_another_thread_until_it_is_silenced(bell: WakeBell) -> None:
    assert not is_ringing(bell)
    thread = threading.Thread(target=bell.ring)
    thread.start()
    thread.join()
    assert is_ringing(bell)

    bell.silence()

    assert not is_ringing(bell)


def test_full_bell_may_be_rung(bell: WakeBell) -> None:
    for _ in range(10_000):
        bell.ring()

    assert is_ringing(bell)


def test_signal_rings(bell: WakeBell) -> None:
    before = signal.signal(signal.SIGUSR1, lambda _signal, _frame: None)
    bell.ring_on_signals()
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert is_ringing(bell, timeout_s=5.0)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGUSR1, before)
