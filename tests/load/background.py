"""Something that happens while load runs: on a thread, its error raised to whoever measured."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Background:
    """Runs `work` until it returns; `is_over` tells it when the load has ended."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self.error: BaseException | None = None
        self._work = work
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="benchmark-background")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Tell it to end, wait for it, and raise what went wrong in it."""
        self._is_over.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._work(self._is_over)
        except BaseException as err:  # noqa: BLE001 - kept for the thread that measures
            self.error = err


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have `work` done for the length of the block."""
    background = Background(work)
    background.start()
    try:
        yield
    finally:
        background.finish()
