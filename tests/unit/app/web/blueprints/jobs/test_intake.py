"""Idempotency keys, limits on open jobs, and what becomes of an input that no job takes."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from app.db.repositories.jobs import JobFilter
from app.db.session import Database
from app.errors import DatabaseUnavailable, InvalidFields
from app.infra.job_files import JobFiles
from app.services.batch_jobs import BatchJobs
from app.services.clients import ClientDraft
from app.services.job_room import JobRoom
from app.web.blueprints.jobs.intake import idempotency_key
from model_store.model_ref import ModelRef
from tests.factories.job_posts import JOBS, file_body, job_of, json_body, kept_files
from tests.factories.payments import MEMBERS
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.scored_events import publish_scoring_model
from tests.factories.web import WebWorker


def limit_open_jobs(worker: WebWorker, most: int) -> None:
    worker.services.batch_jobs = BatchJobs(worker.services.database, send=lambda *_task: None, most_open=most)


@pytest.mark.parametrize("body", [json_body(), file_body()])
def test_same_request_of_one_key_is_one_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, Any]
) -> None:
    keyed = {**headers, "Idempotency-Key": "nightly 7"}
    first = client.post(JOBS, headers=keyed, **body)
    publish_ranking_model(worker)
    again = client.post(JOBS, headers=keyed, **body)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert kept_files(worker) == [f"{first.json['id']}/input"]
    assert len(worker.sent) == 1
    assert client.post(JOBS, headers=headers, **body).json["id"] != first.json["id"]


@pytest.mark.parametrize("body", [json_body(), file_body()])
def test_same_request_is_answered_when_the_world_has_moved(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, Any]
) -> None:
    keyed = {**headers, "Idempotency-Key": "nightly 7"}
    first = client.post(JOBS, headers=keyed, **body)
    worker.services.residency.unload(ModelRef("recommender", 1), by="test")
    worker.services.routing.refresh()
    worker.services.job_room = JobRoom(worker.services.job_files, reserve_bytes=2**62)

    again = client.post(JOBS, headers=keyed, **body)

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json == first.json
    assert kept_files(worker) == [f"{first.json['id']}/input"]


@pytest.mark.parametrize(
    "other",
    [
        json_body(inputs=[{"user_id": 3}]), json_body(parameters={"max_error_share": 0}), json_body(version=1),
        json_body(model="recommender"), file_body(b"user_id\n1\n", name="rows.csv"),
    ],
)  # fmt: skip
def test_other_request_by_the_key_is_refused(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], other: dict[str, Any]
) -> None:
    keyed = {**headers, "Idempotency-Key": "k"}
    first = client.post(JOBS, headers=keyed, **json_body())

    response = client.post(JOBS, headers=keyed, **other)

    assert (response.status_code, response.json["code"]) == (422, "idempotency_key_reused")
    assert kept_files(worker) == [f"{first.json['id']}/input"]


def test_key_is_its_clients_own(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    key = {"Idempotency-Key": "k"}
    others = worker.bearer(scopes=frozenset({"jobs"}))

    ids = {client.post(JOBS, headers={**caller, **key}, **json_body()).json["id"] for caller in (headers, others)}

    assert len(ids) == 2


@pytest.mark.parametrize("header", ["", "k" * 256, "k\x7f", "schlüssel", "a\tb"])
def test_key_is_printable_and_short(header: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        idempotency_key(header)

    assert list(caught.value.errors) == ["Idempotency-Key"]
    assert idempotency_key("k" * 255) == "k" * 255
    assert idempotency_key(None) is None


def test_client_has_so_many_open_jobs(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    limit_open_jobs(worker, 1)
    keyed = {**headers, "Idempotency-Key": "k"}
    first = client.post(JOBS, headers=keyed, **json_body())

    response = client.post(JOBS, headers=headers, **json_body())

    assert (response.status_code, response.json["code"]) == (429, "too_many_jobs")
    assert int(response.headers["Retry-After"]) > 0
    assert client.post(JOBS, headers=keyed, **json_body()).json["id"] == first.json["id"]
    assert client.post(JOBS, headers=worker.bearer(), **json_body()).status_code == 202


def test_one_too_many_at_once_leaves_no_file(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    limit_open_jobs(worker, 0)
    with mock.patch.object(BatchJobs, "check_may_submit"):
        response = client.post(JOBS, headers=headers, **json_body())

    assert response.status_code == 429
    assert kept_files(worker) == []


def deleting(worker: WebWorker, headers: dict[str, str], *, makes_another: bool) -> Callable[..., None]:
    """Return what takes an input in after its client was deleted, and another got its id."""
    client_id = worker.services.tokens.verify(headers["Authorization"].removeprefix("Bearer ")).client_id
    take_in = JobFiles.take_in

    def delete_and_take_in(*args: Any) -> None:
        worker.services.clients.delete(client_id, by="test")
        if makes_another:
            worker.services.clients.create(ClientDraft(client_id=client_id, scopes=frozenset({"jobs"})), by="test")
        take_in(*args)

    return delete_and_take_in


@pytest.mark.parametrize("makes_another", [False, True])
def test_input_of_a_client_that_was_deleted_meanwhile_is_no_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], makes_another: bool
) -> None:
    take_in = deleting(worker, headers, makes_another=makes_another)
    with mock.patch.object(JobFiles, "take_in", autospec=True, side_effect=take_in):
        response = client.post(JOBS, headers=headers, **file_body())

    assert (response.status_code, response.json["code"]) == (401, "token_revoked")
    assert kept_files(worker) == []
    assert worker.services.jobs.count(JobFilter()) == 0
    assert worker.sent == []


def test_input_stays_when_nobody_knows_whether_the_job_was_recorded(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    with mock.patch.object(Database, "write", side_effect=DatabaseUnavailable("Away.")):
        response = client.post(JOBS, headers=headers, **json_body())

    assert response.status_code == 503
    assert len(kept_files(worker)) == 1


def test_nothing_is_read_while_disk_is_short(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.services.job_room = JobRoom(worker.services.job_files, reserve_bytes=2**62)

    response = client.post(JOBS, headers=headers, **file_body(b"PAR1"))

    assert (response.status_code, response.json["code"]) == (503, "disk_full")


def test_jobs_of_payments_are_ordered_and_others_are_not(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    publish_scoring_model(worker)
    payments = client.post(JOBS, headers=headers, **json_body(kind="fraud", inputs=[{"event": MEMBERS}]))
    others = client.post(JOBS, headers=headers, **json_body())

    assert [job_of(worker, answer).is_ordered for answer in (payments, others)] == [True, False]
