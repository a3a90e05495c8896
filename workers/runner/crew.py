"""A runner's threads: they take jobs while any is idle, and what they finish is collected by the socket's thread."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Crew(Generic[T]):
    """A fixed number of threads without a queue of their own: what waits, waits where it can be ordered."""

    def __init__(self, threads: int, *, name: str, on_finished: Callable[[], None]) -> None:
        self.size = threads
        self.idle = threads
        self._on_finished = on_finished
        self._finished: deque[Future[T]] = deque()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @property
    def is_busy(self) -> bool:
        """Whether a job runs, or one's result was not collected yet."""
        return self.idle < self.size

    def start(self, job: Callable[[], T]) -> None:
        """Give a job to an idle thread."""
        assert self.idle > 0
        self.idle -= 1
        self._pool.submit(job).add_done_callback(self._finish)

    def collect(self) -> list[T]:
        """Return the results of jobs that have ended, and raise what one of them raised.

        A thread counts as idle only once its result was collected.
        """
        results: list[T] = []
        while self._finished:
            future = self._finished.popleft()
            self.idle += 1
            results.append(future.result())
        return results

    def close(self) -> None:
        """Wait for running jobs and end the threads."""
        self._pool.shutdown(wait=True)

    def _finish(self, future: Future[T]) -> None:
        self._finished.append(future)
        self._on_finished()
