"""How a worker keeps its job while it works on it: a thread that renews the lease."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.db.repositories.jobs import JobFacts
from app.errors import DatabaseUnavailable, GalleyError, JobAbandoned, StoreUnreachable, UnavailableError
from app.services.jobs import LEASE_S, JobService

logger = logging.getLogger(__name__)

RENEW_EVERY_S: Final = LEASE_S / 4
# What passes by itself: the job waits and is tried again.
PASSING: Final = (UnavailableError, StoreUnreachable)


class LeaseLost(Exception):
    """Another worker has the job by now, or it was deleted: whatever this one finds out counts for nothing."""


class HeldJob:
    """A claimed job in the hands of its worker. Every step notes that it is still its own."""

    def __init__(self, jobs: JobService, facts: JobFacts) -> None:
        self.facts = facts
        self._jobs = jobs

    def note_stage(self, stage: str) -> None:
        """Tell those who poll what is being done.

        :raises LeaseLost: when the job is another worker's.
        """
        self._keep(self._jobs.note_stage(self.facts, stage))

    def succeed(self, *, result: dict[str, object], version: int | None = None) -> None:
        """End the job well.

        :raises LeaseLost: when the job is another worker's.
        """
        self._keep(self._jobs.succeed(self.facts, result=result, version=version))

    @staticmethod
    def _keep(is_held: bool) -> None:
        if not is_held:
            raise LeaseLost


@contextmanager
def holding(jobs: JobService, facts: JobFacts, *, renew_every_s: float = RENEW_EVERY_S) -> Iterator[HeldJob]:
    """Renew a job's lease during the block, and end the job as the block ends with an error.

    An outage gives the job back and goes on to the caller, who may try again; a failure of the job's own ends it;
    anything unforeseen ends it too and goes on, for the log. A block that ends well has ended the job itself.

    :raises UnavailableError: when what the job needs is away.
    :raises StoreUnreachable: when the store is.
    """
    held = HeldJob(jobs, facts)
    with _renewing(jobs, facts, renew_every_s):
        try:
            yield held
        except PASSING as err:
            jobs.give_back(facts, err.detail)
            raise
        except GalleyError as err:
            jobs.fail(facts, err)
        except LeaseLost:
            logger.warning("job %s is another worker's by now; what attempt %d did is left", facts.id, facts.attempt)
        except Exception:
            jobs.fail(facts, JobAbandoned("Something went wrong inside the server; the job's id finds it in the log."))
            raise


@contextmanager
def _renewing(jobs: JobService, facts: JobFacts, every_s: float) -> Iterator[None]:
    stopping = threading.Event()

    def renew() -> None:
        while not stopping.wait(every_s):
            try:
                if not jobs.renew(facts):
                    return
            except DatabaseUnavailable as err:
                logger.warning("the lease of job %s could not be renewed: %s", facts.id, err.detail)

    thread = threading.Thread(target=renew, name=f"lease-{facts.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
