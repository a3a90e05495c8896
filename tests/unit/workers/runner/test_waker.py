"""The waker ends a poll, however often and whenever it is called."""

import select
import signal
import threading

from workers.runner.waker import Waker


def is_readable(waker: Waker) -> bool:
    """Say whether a poll would return."""
    return bool(select.select([waker.fileno()], [], [], 0)[0])


def test_wakes_until_cleared() -> None:
    waker = Waker()
    assert not is_readable(waker)

    waker.wake()
    assert is_readable(waker)

    waker.clear()
    assert not is_readable(waker)
    waker.close()


def test_more_wakes_than_the_buffer_holds_do_not_block() -> None:
    waker = Waker()
    for _ in range(100_000):
        waker.wake()

    waker.clear()
    assert not is_readable(waker)
    waker.close()


def test_a_signal_wakes_whichever_thread_it_reaches() -> None:
    waker = Waker()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        waker.hear_signals()
        other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))
        other.start()
        other.join()
        assert is_readable(waker)
    finally:
        waker.close()
        signal.signal(signal.SIGUSR1, before)

    assert signal.set_wakeup_fd(-1) == -1


def test_waking_after_the_end_does_nothing() -> None:
    waker = Waker()
    waker.close()

    waker.wake()

    assert waker.fileno() == -1
