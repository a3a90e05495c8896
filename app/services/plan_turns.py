"""Whose input is read next: one of each client, and only so many at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.db.repositories.job_plans import OpenJob
from app.scenarios.job_inputs import InputFormat

# An input of so few bytes is read in a moment, unless it is packed: then nobody knows how much it is.
SMALL_BYTES: Final = 8 * 2**20
UNPACKED: Final = (InputFormat.NDJSON, InputFormat.CSV, InputFormat.RAW)


class PlanTurns:
    """Decides about the jobs over rows that are open now. Pure.

    Clients take turns: next is the one whose last job was begun longest ago, where one was, or posted, where none was;
    of its jobs the oldest.

    Large inputs, whose plans may take long, are read `most` at once, whatever small ones are. A small one takes a place
    of those that are left; where all are taken, one may begin besides. So small ones wait for each other only, and all
    that goes on beyond `most` ends in a moment.
    """

    def __init__(self, jobs: Sequence[OpenJob], *, most: int, now: datetime) -> None:
        self._jobs = jobs
        self._now = now
        self._planning = [job for job in jobs if job.is_being_planned(now)]
        self._most = most

    def may_begin(self, job_id: str) -> bool:
        """Say whether a job may be planned beside those that are."""
        asked = [job for job in self._jobs if job.id == job_id]
        others = [job for job in self._planning if job.id != job_id]
        is_room = all(self._has_room(job, others) for job in asked)
        return is_room and {job.client_id for job in asked}.isdisjoint(job.client_id for job in others)

    def due(self) -> list[str]:
        """Return the jobs whose task is to be sent now, as many as may begin: one of each client."""
        busy = {job.client_id for job in self._planning}
        waiting = [job for job in self._jobs if job.waits_unsent(self._now) and job.client_id not in busy]
        firsts: dict[str, OpenJob] = {}
        for job in sorted(waiting, key=self._turn):
            firsts.setdefault(job.client_id, job)
        due: list[OpenJob] = []
        for job in firsts.values():
            if self._has_room(job, [*self._planning, *due]):
                due.append(job)
        return [job.id for job in due]

    def _has_room(self, job: OpenJob, others: Sequence[OpenJob]) -> bool:
        large = sum(not is_small(other) for other in others)
        if not is_small(job):
            return large < self._most
        return len(others) < self._most or large == len(others)

    def _turn(self, job: OpenJob) -> tuple[datetime, datetime, str]:
        own = [it for it in self._jobs if it.client_id == job.client_id]
        began = [it.started_at for it in own if it.started_at is not None]
        return max(began) if began else min(it.created_at for it in own), job.created_at, job.id


def is_small(job: OpenJob) -> bool:
    """Whether a job's input is read in a moment."""
    return job.input_format in UNPACKED and job.input_bytes <= SMALL_BYTES
