"""Messages that come again while their task still runs: no chunk is computed twice, and no plan is made twice."""

import re
from collections import Counter
from pathlib import Path

import pytest
import redis

from app.db.repositories.job_chunks import ChunkState
from app.db.repositories.jobs import JobState
from tests.factories.celery_worker import CeleryWorker
from tests.factories.job_stand import PATIENT_S, POOL, ROWS, JobStand, row_numbers, standing, tensor_rows, working
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long


def times_done(worker: CeleryWorker, task: str) -> Counter[str]:
    """Count how often each message of a task was done, by its id."""
    lines = [line for line in worker.log().splitlines() if "task_succeeded" in line and task in line]
    return Counter(found[1] for line in lines if (found := re.search(r'"task_id": ?"([^"]+)"', line)))


def are_all_busy(stand: JobStand, job_id: str) -> bool:
    return sum(chunk.state == ChunkState.RUNNING for chunk in stand.chunks(job_id)) == POOL


def is_nothing_unacknowledged(stand: JobStand) -> bool:
    """Say whether all messages that were taken were done, or came again; the one of a process that is stopped did."""
    with redis.Redis.from_url(stand.server.url) as client:
        return client.exists("unacked") == 0


def test_messages_that_outlast_the_visibility_timeout_are_answered_with_nothing(tmp_path: Path) -> None:
    patient = standing(tmp_path, lease_s=PATIENT_S)
    with patient as stand, working(stand, app="tests.factories.hasty_celery") as worker:
        job_id = stand.post(tensor_rows())
        late = worker.pool()[0]
        stand.freeze_when(late, lambda: are_all_busy(stand, job_id))
        wait_until(lambda: is_nothing_unacknowledged(stand), timeout_s=60)
        late.resume()
        job = stand.wait_for_end(job_id)

        assert (job.state, job.attempt, job.done) == (JobState.SUCCEEDED, 1, ROWS)
        assert sorted(row_numbers(stand.output(job_id))) == [*range(1, ROWS + 1)]
        assert {(chunk.attempt, chunk.losses) for chunk in stand.chunks(job_id)} == {(1, 0)}
        wait_until(lambda: max(times_done(worker, "run_chunk").values()) > 1)
