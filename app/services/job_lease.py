"""How a worker keeps its job while it works on it, and how the job ends as the work does."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from app.db.repositories.jobs import JobFacts
from app.errors import GalleyError, JobAbandoned, StoreUnreachable, UnavailableError
from app.services.jobs import LEASE_S, JobService
from app.services.lease_renewal import LeaseLost, Renewal, renewing
from app.services.recording import recorded

logger = logging.getLogger(__name__)

RENEW_EVERY_S: Final = LEASE_S / 4
# What passes by itself: the job waits and is tried again.
PASSING: Final = (UnavailableError, StoreUnreachable)
UNFORESEEN: Final = "Something went wrong inside the server; the job's id finds it in the log."


class HeldJob:
    """A claimed job in the hands of its worker. Every step notes that it is still its own."""

    def __init__(self, jobs: JobService, facts: JobFacts, renewal: Renewal) -> None:
        self.facts = facts
        self._jobs = jobs
        self._renewal = renewal

    def check(self) -> None:
        """Go on only with a job that was this worker's when its lease was last renewed. Asks nobody.

        :raises LeaseLost: otherwise.
        """
        self._renewal.check()

    def let_go(self) -> None:
        """Have the next `check` raise LeaseLost: the job has ended another way."""
        self._renewal.note_loss()

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

    An outage lets the job wait: its task is sent again when it is due. A failure of the job's own ends it; anything
    unforeseen ends it too and goes on, for the log. A block that ends well has ended the job itself.

    :raises DatabaseUnavailable: when SQL is away for so long that nothing can be recorded; the lease ends by itself.
    """
    with renewing(lambda: jobs.renew(facts), every_s=renew_every_s, what=f"job {facts.id}") as renewal:
        held = HeldJob(jobs, facts, renewal)
        try:
            yield held
        except PASSING as err:
            logger.warning("job %s waits: %s", facts.id, err.detail)
            recorded(partial(jobs.give_back, facts, err), what="that a job waits")
        except GalleyError as err:
            recorded(partial(jobs.fail, facts, err), what="a job's end")
        except LeaseLost:
            logger.warning("job %s is another worker's by now; what attempt %d did is left", facts.id, facts.attempt)
        except Exception:
            recorded(partial(jobs.fail, facts, JobAbandoned(UNFORESEEN)), what="a job's end")
            raise
