"""Requests in a closed loop from several threads, with every outcome kept: faults are judged by what callers saw."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

Call = Callable[[httpx.Client], httpx.Response]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One request: when it ended (monotonic), its status, or the error in place of one."""

    ended_at: float
    status: int
    has_retry_after: bool = False
    error: str = ""


@dataclass
class Load:
    """What a running load has seen so far."""

    outcomes: list[Outcome] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        """Count the outcomes by status; 0 stands for no answer."""
        return Counter(outcome.status for outcome in self.outcomes)

    def good_since(self, moment: float) -> int:
        """Count the good answers since a moment."""
        return sum(1 for outcome in self.outcomes if outcome.status == 200 and outcome.ended_at > moment)

    def unanswered(self) -> list[str]:
        """Return the errors of requests that were taken and not answered; a refused connection was not taken."""
        return [one.error for one in self.outcomes if one.error and "ConnectError" not in one.error]

    def careless(self) -> list[Outcome]:
        """Return the 503 answers that do not say when to try again."""
        return [one for one in self.outcomes if one.status == 503 and not one.has_retry_after]


@contextmanager
def running_load(make_client: Callable[[], httpx.Client], call: Call, *, threads: int = 8) -> Iterator[Load]:
    """Send requests until the block ends."""
    load, is_over = Load(), threading.Event()

    def caller() -> None:
        with make_client() as client:
            while not is_over.is_set():
                load.outcomes.append(_ask(client, call))

    callers = [threading.Thread(target=caller) for _ in range(threads)]
    for thread in callers:
        thread.start()
    try:
        yield load
    finally:
        is_over.set()
        for thread in callers:
            thread.join()


def _ask(client: httpx.Client, call: Call) -> Outcome:
    try:
        answer = call(client)
    except httpx.HTTPError as err:
        # A refused connection comes back at once: without a pause this would be a busy loop.
        threading.Event().wait(0.05)
        return Outcome(ended_at=time.monotonic(), status=0, error=repr(err))

    has_retry_after = "retry-after" in answer.headers
    return Outcome(ended_at=time.monotonic(), status=answer.status_code, has_retry_after=has_retry_after)
