"""Operators see the jobs of all clients, and end them."""

import json

import pytest
from flask.testing import FlaskCliRunner

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts
from app.services.jobs import VERIFICATION, JobDraft
from tests.factories.web import WebWorker
from tests.unit.app.services.job_drafts import submission


@pytest.fixture
def runner(worker: WebWorker) -> FlaskCliRunner:
    return worker.app.test_cli_runner()


@pytest.fixture
def job(worker: WebWorker) -> JobFacts:
    chunks = [ChunkDraft(first_row=1 + 10 * i, row_count=10, place={}) for i in range(3)]
    job, _ = worker.services.batch_jobs.submit(submission(chunks=chunks))
    return job


def test_jobs_are_listed_under_their_columns(runner: FlaskCliRunner, job: JobFacts) -> None:
    header, line = runner.invoke(args=["jobs", "list"]).output.splitlines()

    assert header.split() == ["id", "kind", "state", "done", "failed", "total", "created", "client", "model"]
    assert line.split()[:6] == [job.id, "recommendations", "queued", "0", "0", "30"]
    assert line.split()[-2:] == ["checkout", "recommender/1"]
    assert header.index("client") == line.index("checkout")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 2),
        (("--state", "queued"), 2),
        (("--state", "failed"), 0),
        (("--client", "checkout"), 1),
        (("--kind", "verification"), 1),
        (("--limit", "1"), 1),
    ],
)
def test_list_is_filtered(
    runner: FlaskCliRunner, worker: WebWorker, job: JobFacts, options: tuple[str, ...], count: int
) -> None:
    worker.services.jobs.create(JobDraft(kind=VERIFICATION, client_id="search", model_name="tiny"))
    output = runner.invoke(args=["jobs", "list", "--json", *options]).output

    assert len([json.loads(line) for line in output.splitlines()]) == count


def test_job_is_shown_with_its_chunks(runner: FlaskCliRunner, job: JobFacts) -> None:
    shown = json.loads(runner.invoke(args=["jobs", "show", job.id, "--json"]).output)
    lines = runner.invoke(args=["jobs", "show", job.id]).output.splitlines()

    assert (shown["id"], shown["client_id"], shown["queue"]) == (job.id, "checkout", "batch")
    assert shown["chunks"] == {"queued": 3}
    assert shown["progress"]["total"] == 30
    assert ["state", "queued"] in [line.split() for line in lines]
    assert ["chunks", '{"queued":3}'] in [line.split() for line in lines]


def test_cancelled_job_has_ended(runner: FlaskCliRunner, worker: WebWorker, job: JobFacts) -> None:
    result = runner.invoke(args=["jobs", "cancel", job.id])

    assert (result.exit_code, result.output) == (0, f"Cancelled {job.id}.\n")
    assert worker.services.jobs.find(job.id).state == "cancelled"
    again = runner.invoke(args=["jobs", "cancel", job.id])
    assert (again.exit_code, again.output) == (1, f"Error: {job.id} has ended: cancelled.\n")


def test_verification_is_not_cancelled(runner: FlaskCliRunner, worker: WebWorker) -> None:
    job = worker.services.jobs.create(JobDraft(kind=VERIFICATION, client_id="search", model_name="tiny"))
    result = runner.invoke(args=["jobs", "cancel", job.id])

    assert result.exit_code == 1
    assert f"DELETE /api/v1/jobs/{job.id}" in result.output
    assert worker.services.jobs.find(job.id).state == "queued"


@pytest.mark.parametrize("command", ["show", "cancel"])
def test_unknown_job_is_a_sentence(runner: FlaskCliRunner, command: str) -> None:
    result = runner.invoke(args=["jobs", command, "nothing"])

    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no job")
