"""How a worker keeps what it leased while it works on it: a thread that renews the lease."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import DatabaseUnavailable

logger = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another worker has it by now, or it was ended or deleted: whatever this one finds out counts for nothing."""


class Renewal:
    """Says whether a lease still held when it was last renewed. Threads may share it."""

    def __init__(self) -> None:
        self._lost = threading.Event()

    def note_loss(self) -> None:
        """Say that the lease is lost, or is to be worked for no more."""
        self._lost.set()

    def check(self) -> None:
        """Go on only with what is still leased.

        :raises LeaseLost: when it is not.
        """
        if self._lost.is_set():
            raise LeaseLost


@contextmanager
def renewing(renew: Callable[[], bool], *, every_s: float, what: str) -> Iterator[Renewal]:
    """Call `renew` every so often during the block, until it says that the lease is lost; outages pass by.

    The thread has ended when the block has.
    """
    stopping = threading.Event()
    renewal = Renewal()

    def run() -> None:
        while not stopping.wait(every_s):
            try:
                if not renew():
                    renewal.note_loss()
                    return
            except DatabaseUnavailable as err:
                logger.warning("the lease of %s could not be renewed: %s", what, err.detail)

    thread = threading.Thread(target=run, name=f"lease of {what}", daemon=True)
    thread.start()
    try:
        yield renewal
    finally:
        stopping.set()
        thread.join()
