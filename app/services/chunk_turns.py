"""Whose chunk is next: clients take turns, then the jobs of one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.db.repositories.job_chunks import JobQueued


def next_chunk(waiting: Sequence[JobQueued]) -> tuple[str, int] | None:
    """Return job and number of the chunk whose turn it is; None when there is none to take.

    Next is a client with the fewest chunks being worked on, then the one that was served longest ago; likewise its job.
    Whose jobs were not served yet waits since the oldest of them was posted. Else whoever posts one small job after
    the other would always be new, and go before all who were served.
    """
    running: dict[str, int] = {}
    served: dict[str, datetime] = {}
    posted: dict[str, datetime] = {}
    for job in waiting:
        client = job.client_id
        running[client] = running.get(client, 0) + job.running
        posted[client] = min(posted.get(client, job.created_at), job.created_at)
        if job.served_at is not None:
            served[client] = max(served.get(client, job.served_at), job.served_at)
    since = {**posted, **served}

    def turn(job: JobQueued) -> tuple[Any, ...]:
        client = job.client_id
        own_since = job.served_at or job.created_at
        return running[client], since[client], client, job.running, own_since, job.created_at, job.job_id

    chunks = ((job.job_id, job.next_chunk) for job in sorted(waiting, key=turn) if job.next_chunk is not None)
    return next(chunks, None)
