"""Inputs are cut into chunks that take some seconds; of one that cannot be, nothing stays."""

import pytest

from app.db.repositories.jobs import JobState
from app.errors import DiskFull
from app.infra.job_files import SLICES
from app.infra.task_names import QueueName
from app.scenarios.job_inputs import InputFormat
from tests.factories.job_cuts import Cuts, chunks_of, parquet_of, read_with
from tests.factories.job_runs import JobRuns, bodies
from workers.batch import input_cut
from workers.batch.chunk_sizes import MOST_BYTES


@pytest.mark.parametrize(
    ("data", "input_format", "code"),
    [
        (b"", InputFormat.NDJSON, "empty_input"),
        (b"\n \n", InputFormat.NDJSON, "empty_input"),
        (b"user_id,k\n", InputFormat.CSV, "empty_input"),
        (b"user,k\n1,2\n", InputFormat.CSV, "invalid_input_file"),
        (b"user_id,user_id\n1,2\n", InputFormat.CSV, "invalid_input_file"),
    ],
)
def test_input_that_is_wrong_as_a_whole_ends_the_job(
    runs: JobRuns, data: bytes, input_format: InputFormat, code: str
) -> None:
    job_id = runs.post(data, input_format=input_format)
    runs.plan(job_id)

    assert (runs.job(job_id).state, (runs.job(job_id).error or {})["code"]) == (JobState.FAILED, code)
    assert chunks_of(runs, job_id) == []


def test_version_that_is_gone_ends_the_job(runs: JobRuns) -> None:
    job_id = runs.post(bodies([1]), version=7)
    runs.plan(job_id)

    assert (runs.job(job_id).error or {})["code"] == "version_not_found"


def test_chunks_grow_until_there_are_not_too_many(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = read_with(monkeypatch, Cuts(5452 * 100))
    monkeypatch.setattr(input_cut, "MOST_CHUNKS", 10)
    job_id = runs.post(bodies([1]))
    runs.plan(job_id)

    assert [limits.most_rows for limits in cuts.limits] == [5452, 4 * 5452, 16 * 5452]
    assert [limits.most_bytes // MOST_BYTES for limits in cuts.limits] == [1, 4, 16]
    assert (runs.job(job_id).chunk_count, runs.job(job_id).total) == (7, 545_200)


def test_cancelled_job_is_not_planned(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.post(bodies([1]))
    read_with(monkeypatch, Cuts(2 * 5452, lambda: runs.parts.batch_jobs.cancel(job_id)))
    runs.plan(job_id)

    assert (runs.job(job_id).state, chunks_of(runs, job_id)) == (JobState.CANCELLED, [])
    assert runs.parts.chunks.count_free(QueueName.BATCH) == 0


def test_slices_need_room_and_a_plan_that_fails_leaves_none(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        if len(runs.parts.job_files.names(job_id, SLICES)) > 1:
            raise DiskFull("The disk has no room.")

    monkeypatch.setattr(runs.parts.job_room, "check", check)
    job_id = runs.post(parquet_of(6000), input_format=InputFormat.PARQUET)
    runs.plan(job_id)

    assert (runs.job(job_id).error or {})["code"] == "disk_full"
    assert runs.parts.job_files.names(job_id, SLICES) == []


def test_coarser_chunks_replace_the_slices_of_finer_ones(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_cut, "MOST_CHUNKS", 1)
    job_id = runs.planned(parquet_of(6000), input_format=InputFormat.PARQUET)

    assert runs.parts.job_files.names(job_id, SLICES) == ["slices/1.000001.arrow"]
    assert (runs.run_all(), runs.job(job_id).state) == (1, JobState.SUCCEEDED)
