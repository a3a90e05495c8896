"""A job of a million rows before the hundred rows of another client: those wait for a handful of its chunks."""

from pathlib import Path

import pytest

from app.db.repositories.jobs import JobState
from tests.factories.job_stand import POOL, standing, tensor_rows, working
from workers.batch.tickets import MOST_TICKETS

pytestmark = pytest.mark.long

MILLION = 10**6
ROW = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}\n'
FEW, FEW_CHUNKS = 100, 5
# Tickets that wait before the plan of the small job; then clients take turns, and what runs is ended.
MOST_CHUNKS = MOST_TICKETS + FEW_CHUNKS + 2 * POOL


def test_hundred_rows_do_not_wait_for_a_million(tmp_path: Path) -> None:
    with standing(tmp_path) as stand, working(stand):
        large = stand.post(ROW * MILLION, client_id="large")
        stand.wait_for_work(large, 1)
        before = {chunk.number for chunk in stand.chunks(large) if chunk.attempt}

        small = stand.wait_for_end(stand.post(tensor_rows(FEW), client_id="small"))
        begun = {chunk.number for chunk in stand.chunks(large) if chunk.attempt} - before
        job = stand.job(large)
        # And the large one was not forgotten over it.
        stand.wait_for_work(large, max(before | begun) + 1)
        stand.parts.batch_jobs.cancel(large)

    assert (small.state, small.done, small.chunk_count) == (JobState.SUCCEEDED, FEW, FEW_CHUNKS)
    assert (job.state, job.total) == (JobState.RUNNING, MILLION)
    assert len(begun) <= MOST_CHUNKS < (job.chunk_count or 0) // 10
