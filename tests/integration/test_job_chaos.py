"""Whatever dies while a job runs, and whenever: each of its rows is answered once, under its own number."""

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest

from app.db.repositories.jobs import JobState
from tests.factories.job_stand import POOL, JobStand, row_numbers, standing, tensor_rows, working
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# Of twenty rows each.
ROWS, CHUNKS = 2400, 120
BLOWS = 9


class Chaos:
    """A worker at a job, which is started again whenever it ends, and the blows that it gets."""

    def __init__(self, stand: JobStand, seed: int) -> None:
        self._stand = stand
        self._die = random.Random(seed)

    def run(self, job_id: str) -> None:
        """Strike at moments that the die names, then let the job end."""
        with working(self._stand, is_kept_up=True) as self._worker:
            for moment in sorted(self._die.sample(range(CHUNKS * 9 // 10), BLOWS)):
                self._stand.wait_for_work(job_id, moment)
                self._die.choice(self._blows)()
            self._stand.wait_for_end(job_id)

    @property
    def _blows(self) -> tuple[Callable[[], None], ...]:
        return (self._kill_one, self._kill_pool, self._kill_worker, self._stand.server.flush, self._restart_redis)

    def _kill_one(self) -> None:
        self._die.choice(self._family()).kill()

    def _kill_pool(self) -> None:
        for process in self._worker.pool():
            process.kill()

    def _family(self) -> list[psutil.Process]:
        # It may have ended just now, and not be back yet.
        wait_until(self._worker.family)
        return self._worker.family()

    def _kill_worker(self) -> None:
        self._family()
        self._worker.kill()

    def _restart_redis(self) -> None:
        self._stand.server.stop()
        self._stand.server.start()


@pytest.mark.parametrize("seed", range(2))
def test_every_row_is_answered_once_whatever_dies(tmp_path: Path, seed: int) -> None:
    with standing(tmp_path) as stand:
        job_id = stand.post(tensor_rows(ROWS))
        Chaos(stand, seed).run(job_id)
        job, chunks, output = stand.job(job_id), stand.chunks(job_id), stand.output(job_id)

    assert (job.state, job.done, job.failed, job.chunk_count) == (JobState.SUCCEEDED, ROWS, ROWS // 50, CHUNKS)
    assert sorted(row_numbers(output)) == [*range(1, ROWS + 1)]
    results = [orjson.loads(line) for line in output[0].splitlines()]
    assert [line["id"] for line in results] == [f"row-{line['row']}" for line in results]
    # What was done stayed done: a chunk was begun again for each time that its worker was lost, and never else.
    assert all(chunk.attempt == 1 + chunk.losses for chunk in chunks)
    assert 0 < sum(chunk.losses for chunk in chunks) <= BLOWS * POOL
