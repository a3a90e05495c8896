"""Jobs on real Celery workers that are killed, cut off and stopped: each row is answered once, as if nothing had been.

What came of a job is held against what an undisturbed one wrote, byte for byte.
"""

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.db.repositories.job_chunks import ChunkState
from app.db.repositories.jobs import JobState
from app.infra.task_names import TaskName
from tests.factories.job_stand import (
    PATIENT_S,
    ROWS,
    JobStand,
    row_numbers,
    standing,
    tensor_rows,
    undisturbed,
    working,
)
from tests.factories.postgres_server import PostgresServer, running_postgres
from tests.factories.small_disk import small_disk
from tests.factories.waiting import wait_until

__all__ = ["undisturbed"]

SEEDS = range(2)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[JobStand]:
    with standing(tmp_path) as stand:
        yield stand


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[JobStand]:
    """A stand on which no lease is lost but by its worker's end."""
    with standing(tmp_path, lease_s=PATIENT_S) as stand:
        yield stand


def ended_well(stand: JobStand, job_id: str, undisturbed: tuple[bytes, bytes]) -> None:
    """Hold a job against the undisturbed one."""
    job = stand.wait_for_end(job_id)
    assert (job.state, job.error, job.done, job.failed) == (JobState.SUCCEEDED, None, ROWS, ROWS // 50)
    assert stand.output(job_id) == undisturbed


def test_undisturbed_output_has_each_row_once_and_in_order(undisturbed: tuple[bytes, bytes]) -> None:
    results, errors = (row_numbers((lines, b"")) for lines in undisturbed)

    assert errors == [*range(50, ROWS + 1, 50)]
    assert results == sorted(set(range(1, ROWS + 1)) - set(errors))


@pytest.mark.long
def test_tickets_and_plans_that_come_twice_find_nothing_to_do(
    patient: JobStand, undisturbed: tuple[bytes, bytes]
) -> None:
    with working(patient):
        job_id = patient.post(tensor_rows())
        for _ in range(40):
            patient.parts.tasks.send(TaskName.RUN_CHUNK)
            patient.parts.tasks.send(TaskName.PLAN_JOB, job_id)
        ended_well(patient, job_id, undisturbed)

    assert {(chunk.attempt, chunk.losses) for chunk in patient.chunks(job_id)} == {(1, 0)}


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_processes_cost_time_and_nothing_else(
    stand: JobStand, undisturbed: tuple[bytes, bytes], seed: int
) -> None:
    die = random.Random(seed)
    with working(stand) as worker:
        job_id = stand.post(tensor_rows())
        for moment in sorted(die.sample(range(28), 4)):
            stand.wait_for_work(job_id, moment)
            die.choice(worker.pool() or worker.family()).kill()
        ended_well(stand, job_id, undisturbed)

    assert sum(chunk.losses for chunk in stand.chunks(job_id)) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("is_all_stopped", [False, True])
def test_what_was_done_before_everything_stopped_is_not_done_again(
    stand: JobStand, undisturbed: tuple[bytes, bytes], is_all_stopped: bool, seed: int
) -> None:
    job_id = stand.post(tensor_rows())
    done = []
    for moment in sorted(random.Random(seed).sample(range(25), 2)):
        with working(stand) as worker:
            stand.wait_for_work(job_id, moment)
            worker.kill()
        if is_all_stopped:
            stand.server.stop()
            stand.server.start()
        done += [chunk for chunk in stand.chunks(job_id) if chunk.state == ChunkState.DONE]

    with working(stand):
        ended_well(stand, job_id, undisturbed)
    now = stand.chunks(job_id)
    assert [chunk for chunk in done if chunk not in now] == []
    assert sum(chunk.losses for chunk in now) > 0


@pytest.mark.long
def test_worker_that_is_told_to_stop_ends_its_chunk_and_another_goes_on(
    patient: JobStand, undisturbed: tuple[bytes, bytes]
) -> None:
    job_id = patient.post(tensor_rows())
    for moment in (3, 12):
        with working(patient):
            patient.wait_for_work(job_id, moment)
    with working(patient):
        ended_well(patient, job_id, undisturbed)

    assert {(chunk.attempt, chunk.losses) for chunk in patient.chunks(job_id)} == {(1, 0)}


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_broker_that_forgets_all_tickets_holds_nothing_up(
    patient: JobStand, undisturbed: tuple[bytes, bytes], is_stopped: bool, seed: int
) -> None:
    if is_stopped:
        # Beat alone has to find its way back.
        patient.dispatch_every_s = math.inf
    with working(patient, is_kept_up=True):
        job_id = patient.post(tensor_rows())
        for moment in sorted(random.Random(seed).sample(range(25), 2)):
            patient.wait_for_work(job_id, moment)
            if is_stopped:
                patient.server.stop()
                patient.server.start()
            else:
                patient.server.flush()
        ended_well(patient, job_id, undisturbed)

    # It holds no truth: nobody lost a chunk by it.
    assert {(chunk.attempt, chunk.losses) for chunk in patient.chunks(job_id)} == {(1, 0)}


@pytest.mark.long
@pytest.mark.parametrize("end", [PostgresServer.stop, PostgresServer.kill])
def test_database_that_is_restarted_costs_time_and_nothing_else(
    tmp_path: Path, undisturbed: tuple[bytes, bytes], end: Callable[[PostgresServer], None]
) -> None:
    with (
        running_postgres() as postgres,
        standing(tmp_path, database_url=postgres.make_database()) as stand,
        working(stand),
    ):
        job_id = stand.post(tensor_rows())
        for moment in (3, 15):
            stand.wait_for_work(job_id, moment)
            end(postgres)
            postgres.restart()
            stand.parts.database.engine.dispose()
        ended_well(stand, job_id, undisturbed)


@pytest.mark.long
def test_worker_that_comes_back_when_another_has_its_chunk_is_not_heard(
    stand: JobStand, undisturbed: tuple[bytes, bytes]
) -> None:
    with working(stand, pool=1) as worker:
        job_id = stand.post(tensor_rows())
        stand.wait_for_work(job_id, 5)
        (frozen,) = worker.pool()
        stand.freeze_when(frozen, lambda: any(chunk.state == ChunkState.RUNNING for chunk in stand.chunks(job_id)))
        # Now this process is the other worker.
        wait_until(lambda: stand.run_chunks() or stand.job(job_id).state.is_final, timeout_s=60)
        lost = [chunk for chunk in stand.chunks(job_id) if chunk.losses]
        frozen.resume()
        wait_until(lambda: '"result":"lost"' in worker.log())

        ended_well(stand, job_id, undisturbed)
    assert [(chunk.attempt, chunk.losses) for chunk in lost] == [(2, 1)]
    assert stand.staged() == []


@pytest.mark.long
def test_cancelled_jobs_keep_whole_chunks_and_leave_workers_free(
    stand: JobStand, undisturbed: tuple[bytes, bytes]
) -> None:
    lines = set(b"".join(undisturbed).splitlines())
    with working(stand):
        for moment in sorted(random.Random(7).sample(range(25), 3)):
            job_id = stand.post(tensor_rows())
            stand.wait_for_work(job_id, moment)
            assert stand.parts.batch_jobs.cancel(job_id)

            wait_until(lambda: not stand.staged())
            done = [chunk for chunk in stand.chunks(job_id) if chunk.state == ChunkState.DONE]
            rows = [row for chunk in done for row in range(chunk.first_row, chunk.last_row + 1)]
            output = stand.output(job_id)
            assert sorted(row_numbers(output)) == rows
            assert set(b"".join(output).splitlines()) <= lines
            assert stand.job(job_id).done == len(rows) < ROWS

        ended_well(stand, stand.post(tensor_rows()), undisturbed)


@pytest.mark.long
def test_full_disk_fails_the_job_and_nothing_half_written_is_read(
    tmp_path: Path, undisturbed: tuple[bytes, bytes]
) -> None:
    lines = set(b"".join(undisturbed).splitlines())
    with (
        small_disk(tmp_path / "disk", "160k") as disk,
        standing(tmp_path, jobs_dir=disk.folder) as stand,
        working(stand),
    ):
        job_id = stand.post(tensor_rows())
        job = stand.wait_for_end(job_id)
        assert (job.state, (job.error or {}).get("code")) == (JobState.FAILED, "disk_full")
        wait_until(lambda: not stand.staged())
        written = [path.read_bytes() for path in disk.folder.glob("*/*/*.ndjson")]
        assert written
        assert all(content.endswith(b"\n") and set(content.splitlines()) <= lines for content in written)
        assert set(b"".join(stand.output(job_id)).splitlines()) <= lines

        disk.mount("remount,size=10m")
        ended_well(stand, stand.post(tensor_rows()), undisturbed)
