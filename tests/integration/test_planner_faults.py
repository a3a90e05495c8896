"""A worker that is killed while it cuts an input into slices: another cuts it anew, and nothing of the first stays."""

import io
import tarfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.db.repositories.jobs import JobRepository, JobState
from app.infra.clock import Clock
from app.infra.job_files import SLICES
from app.scenarios.job_inputs import InputFormat
from app.services.job_retention import STRAYED_S
from tests.factories.job_stand import JobStand, row_numbers, standing, working
from tests.factories.pictures import plain_picture

pytestmark = pytest.mark.long

# Each slice takes twenty.
PICTURES = 2400
BROKEN_EVERY = 50


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[JobStand]:
    with standing(tmp_path) as stand:
        yield stand


def pictures() -> Iterator[tuple[str, bytes]]:
    for number in range(1, PICTURES + 1):
        colour = (number % 256, number // 256, 7)
        yield f"{number}.png", b"broken" if number % BROKEN_EVERY == 0 else plain_picture(colour, size=(3, 2))


def as_parquet() -> bytes:
    names, images = zip(*pictures(), strict=True)
    file = io.BytesIO()
    pq.write_table(pa.table({"name": names, "image": images}), file)
    return file.getvalue()


def as_packed_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, picture in pictures():
            header = tarfile.TarInfo(name)
            header.size = len(picture)
            archive.addfile(header, io.BytesIO(picture))
    return file.getvalue()


def slices(stand: JobStand, job_id: str) -> list[str]:
    return stand.parts.job_files.names(job_id, SLICES)


def kill_at_slices(stand: JobStand, job_id: str, planner: psutil.Process) -> None:
    """Kill the process that plans a job when it has written a slice or more, and not the last."""
    stand.freeze_when(planner, lambda: slices(stand, job_id) and stand.job(job_id).chunk_count is None)
    planner.kill()


def sweep_later(stand: JobStand, job_id: str) -> None:
    """Have retention look at a job as it does long after its end."""
    ended_at = Clock().utcnow() - timedelta(seconds=STRAYED_S + 60)
    with stand.parts.database.write() as session:
        assert JobRepository(session).change_ended(job_id, finished_at=ended_at)
    stand.parts.job_retention.sweep()


@pytest.mark.parametrize(
    ("input_format", "packed"),
    [(InputFormat.PARQUET, as_parquet), (InputFormat.TAR, as_packed_tar)],
    ids=["parquet", "tar"],
)
def test_planner_that_is_killed_between_slices_costs_time_and_nothing_else(
    stand: JobStand, input_format: InputFormat, packed: Callable[[], bytes]
) -> None:
    about = {"kind": "images", "model_name": "colours", "input_format": input_format.value}
    undisturbed = stand.post(packed(), **about)
    stand.run_here(undisturbed)

    with working(stand, pool=1) as worker:
        job_id = stand.post(packed(), **about)
        kill_at_slices(stand, job_id, *worker.pool())
        stand.end_lease(job_id)
        job = stand.wait_for_end(job_id)

    assert (job.state, job.attempt, job.done, job.failed) == (JobState.SUCCEEDED, 2, PICTURES, PICTURES // BROKEN_EVERY)
    assert stand.output(job_id) == stand.output(undisturbed)
    assert sorted(row_numbers(stand.output(job_id))) == [*range(1, PICTURES + 1)]
    sweep_later(stand, job_id)
    named = {chunk.place["slice"] for chunk in stand.chunks(job_id)}
    assert len(named) == job.chunk_count
    assert named == set(slices(stand, job_id))
