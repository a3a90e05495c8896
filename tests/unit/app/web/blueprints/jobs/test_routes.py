"""GET and DELETE /api/v1/jobs."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.db.repositories.jobs import JobFacts
from app.errors import SampleMismatch
from app.services.batch_jobs import BatchJobs
from app.services.jobs import JobDraft
from tests.factories.job_posts import json_body, kept_files, plan_chunks, write_chunks
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.web import WebWorker

PATH = "/api/v1/jobs"


def make_job(worker: WebWorker, client_id: str, kind: str = "verification") -> JobFacts:
    return worker.services.jobs.create(JobDraft(kind=kind, client_id=client_id, model_name="churn"))


def claim(worker: WebWorker, job: JobFacts) -> JobFacts:
    held = worker.services.jobs.claim(job.id)
    assert held is not None
    return held


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer(scopes=frozenset({"models:write"}))


@pytest.fixture
def client_id(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> str:
    return worker.services.tokens.verify(headers["Authorization"].removeprefix("Bearer ")).client_id


def ids(response: Any) -> list[str]:
    return [job["id"] for job in response.json]


def test_own_jobs_are_listed_newest_first(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    jobs = [make_job(worker, client_id), make_job(worker, client_id)]
    make_job(worker, "another")

    response = client.get(PATH, headers=headers)

    assert ids(response) == [job.id for job in jobs[::-1]]
    assert '"total":2' in response.headers["X-Pagination"].replace(" ", "")


def test_admin_sees_all_jobs(worker: WebWorker, client: FlaskClient) -> None:
    job = make_job(worker, "another")
    admin = worker.bearer(scopes=frozenset({"admin"}))

    assert ids(client.get(PATH, headers=admin)) == [job.id]
    assert client.get(f"{PATH}/{job.id}", headers=admin).json["id"] == job.id


def test_list_is_narrowed_by_state_and_kind(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    waiting, running = make_job(worker, client_id), make_job(worker, client_id)
    claim(worker, running)

    assert ids(client.get(f"{PATH}?state=running", headers=headers)) == [running.id]
    assert ids(client.get(f"{PATH}?state=queued&kind=verification", headers=headers)) == [waiting.id]
    assert client.get(f"{PATH}?state=asleep", headers=headers).json["errors"].keys() == {"state"}
    assert client.get(f"{PATH}?page=99999999999999999999", headers=headers).json == []


def test_job_shows_its_stage_then_its_error(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    job = claim(worker, make_job(worker, client_id))
    worker.services.jobs.note_stage(job, "reading the code")
    running = client.get(f"{PATH}/{job.id}", headers=headers).json
    worker.services.jobs.fail(job, SampleMismatch("Sample 1 differs."))
    failed = client.get(f"{PATH}/{job.id}", headers=headers).json

    assert (running["state"], running["progress"]["stage"]) == ("running", "reading the code")
    assert (failed["state"], failed["error"]["code"]) == ("failed", "sample_mismatch")
    assert failed["finished_at"] is not None


def test_unchanged_job_is_not_sent_again(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    job = make_job(worker, client_id)
    tag = client.get(f"{PATH}/{job.id}", headers=headers).headers["ETag"]

    assert client.get(f"{PATH}/{job.id}", headers={**headers, "If-None-Match": tag}).status_code == 304
    claim(worker, job)
    assert client.get(f"{PATH}/{job.id}", headers={**headers, "If-None-Match": tag}).status_code == 200


def test_job_of_another_is_not_found(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    job = make_job(worker, "another")

    for method in ("GET", "DELETE"):
        response = client.open(f"{PATH}/{job.id}", method=method, headers=headers)
        assert (response.status_code, response.json["code"]) == (404, "job_not_found")


def test_waiting_job_is_cancelled_then_forgotten(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    with worker.services.publishing.receiving("churn") as (job_id, folder):
        worker.services.jobs.create(JobDraft(id=job_id, kind="verification", client_id=client_id, model_name="churn"))

    assert client.delete(f"{PATH}/{job_id}", headers=headers).status_code == 204
    assert client.get(f"{PATH}/{job_id}", headers=headers).json["state"] == "cancelled"
    assert not folder.exists()

    assert client.delete(f"{PATH}/{job_id}", headers=headers).status_code == 204
    assert client.get(f"{PATH}/{job_id}", headers=headers).status_code == 404


def test_running_job_is_not_deleted(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    job = claim(worker, make_job(worker, client_id))

    response = client.delete(f"{PATH}/{job.id}", headers=headers)

    assert (response.status_code, response.json["code"]) == (409, "job_running")


def test_deleting_jobs_needs_more_than_reading(worker: WebWorker, client: FlaskClient) -> None:
    headers = worker.bearer(scopes=frozenset({"models:read"}))

    assert client.delete(f"{PATH}/one", headers=headers).status_code == 403


@pytest.fixture
def poster(worker: WebWorker) -> dict[str, str]:
    publish_ranking_model(worker)
    return worker.bearer(scopes=frozenset({"jobs"}))


def test_job_over_rows_is_cancelled_then_deleted(
    worker: WebWorker, client: FlaskClient, poster: dict[str, str]
) -> None:
    job_id = client.post(PATH, headers=poster, **json_body()).json["id"]
    plan_chunks(worker, job_id, rows=1, count=2)
    write_chunks(worker, job_id, b'{"row":1}\n')

    assert client.delete(f"{PATH}/{job_id}", headers=poster).status_code == 204
    cancelled = client.get(f"{PATH}/{job_id}", headers=poster).json
    assert (cancelled["state"], cancelled["progress"]["done"]) == ("cancelled", 1)
    assert client.get(f"{PATH}/{job_id}/results", headers=poster).data == b'{"row":1}\n'

    assert client.delete(f"{PATH}/{job_id}", headers=poster).status_code == 204
    assert client.get(f"{PATH}/{job_id}", headers=poster).status_code == 404
    assert kept_files(worker) == []


def test_unchanged_document_is_one_etag_while_the_job_runs(
    worker: WebWorker, client: FlaskClient, poster: dict[str, str]
) -> None:
    job_id = client.post(PATH, headers=poster, **json_body()).json["id"]
    plan_chunks(worker, job_id, rows=1, count=2)
    tag = client.get(f"{PATH}/{job_id}", headers=poster).headers["ETag"]

    polls = [client.get(f"{PATH}/{job_id}", headers={**poster, "If-None-Match": tag}) for tag in (tag, f"W/{tag}")]
    write_chunks(worker, job_id, b'{"row":1}\n')
    changed = client.get(f"{PATH}/{job_id}", headers={**poster, "If-None-Match": tag})

    assert [(poll.status_code, poll.data, poll.headers["ETag"]) for poll in polls] == [(304, b"", tag)] * 2
    assert (changed.status_code, changed.json["progress"]["done"]) == (200, 1)


def test_job_that_ends_while_it_is_cancelled_keeps_its_results(
    worker: WebWorker, client: FlaskClient, poster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = client.post(PATH, headers=poster, **json_body()).json["id"]
    plan_chunks(worker, job_id, rows=2, count=1)
    cancel = BatchJobs.cancel

    def end_then_cancel(self: BatchJobs, cancelled_id: str) -> bool:
        write_chunks(worker, job_id, b'{"row":1}\n{"row":2}\n', rows=2)
        return cancel(self, cancelled_id)

    monkeypatch.setattr(BatchJobs, "cancel", end_then_cancel)

    assert client.delete(f"{PATH}/{job_id}", headers=poster).status_code == 204
    assert client.get(f"{PATH}/{job_id}", headers=poster).json["state"] == "succeeded"
    assert client.get(f"{PATH}/{job_id}/results", headers=poster).data == b'{"row":1}\n{"row":2}\n'


def test_unchanged_list_is_not_sent_again(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], client_id: str
) -> None:
    job = make_job(worker, client_id)
    known = {**headers, "If-None-Match": client.get(PATH, headers=headers).headers["ETag"]}

    unchanged = client.get(PATH, headers=known)
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert client.get(f"{PATH}?state=running", headers=known).status_code == 200
    claim(worker, job)
    assert client.get(PATH, headers=known).status_code == 200
