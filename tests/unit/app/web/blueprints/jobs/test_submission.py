"""POST /api/v1/jobs: rows in JSON, or a file in a form."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.infra import disk
from app.infra.task_names import TaskName
from app.services.job_room import JobRoom
from app.web.body import ROWS_BYTES
from app.web.uploads import MOST_UPLOADS, current_uploads
from tests.factories.job_posts import JOBS, LINES, file_body, input_of, job_of, json_body, kept_files
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.uploads import form_body
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker, make_worker

JSON_TYPE = {"content_type": "application/json"}


@pytest.mark.parametrize("body", [json_body(), file_body(), file_body(name="ROWS.JSONL")])
def test_rows_become_a_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, Any]
) -> None:
    response = client.post(JOBS, headers=headers, **body)

    document = response.json
    address = f"{JOBS}/{document['id']}"
    assert (response.status_code, response.headers["Location"]) == (202, address)
    assert "Idempotency-Replayed" not in response.headers
    assert (document["kind"], document["state"], document["model"]) == ("recommendations", "queued", "recommender")
    assert (document["version"], document["progress"]["total"]) == (1, None)
    assert document["links"] == {
        "self": address, "results": f"{address}/results", "errors": f"{address}/errors", "events": f"{address}/events",
    }  # fmt: skip
    assert client.get(address, headers=headers).json == document
    assert input_of(worker, document["id"]) == LINES
    assert kept_files(worker) == [f"{document['id']}/input"]
    assert worker.sent == [(TaskName.PLAN_JOB, document["id"])]
    job = job_of(worker, response)
    assert (job.queue, job.input_format, job.input_bytes) == ("batch", "ndjson", len(LINES))
    assert (job.max_error_share, job.chunk_count) == (0.1, None)


def test_parameters_are_kept(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    parameters = b'{"top_k": 3, "max_error_share": 0.5}'
    body = file_body(b"PK\x05\x06" + bytes(18), name="a.zip", kind="images", parameters=parameters)

    job = job_of(worker, client.post(JOBS, headers=headers, **body))

    assert (job.model_name, job.input_format) == ("digits", "zip")
    assert (job.parameters, job.max_error_share) == ({"top_k": 3}, 0.5)


def test_version_is_looked_up_now(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    publish_ranking_model(worker)
    jobs = [job_of(worker, client.post(JOBS, headers=headers, **json_body(version=v))) for v in (None, 2, "default")]

    assert [job.version for job in jobs] == [1, 2, 1]


def test_rows_of_heavy_models_wait_elsewhere(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="heavy", manifest=make_manifest(task="ranking", execution="heavy"))

    assert job_of(worker, client.post(JOBS, headers=headers, **json_body(model="heavy"))).queue == "heavy"


@pytest.mark.parametrize("body", [{"kind": "tensor", "model": "recommender"}, {"kind": "tensor", "model": "digits"}])
def test_tensors_are_for_any_model(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, str]
) -> None:
    worker.publish()

    assert client.post(JOBS, headers=headers, **json_body(**body)).status_code == 202


REFUSALS: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown kind": (json_body(kind="poems"), 422, "kind"),
    "no kind": (json_body(kind=None), 422, "kind"),
    "no inputs": (json_body(inputs=[]), 422, "inputs"),
    "unknown member": (json_body(row=1), 422, "row"),
    "no model": (json_body(kind="tensor"), 422, "model"),
    "error share": (json_body(parameters={"max_error_share": 2}), 422, "parameters.max_error_share"),
    "unknown parameter": (json_body(parameters={"top_k": 2}), 422, "parameters.top_k"),
    "wrong parameter": (json_body(kind="images", model="digits", parameters={"top_k": 0}), 422, "parameters"),
    "unknown model": (json_body(model="unheard-of"), 404, "model_not_found"),
    "unknown version": (json_body(version=7), 404, "version_not_found"),
    "unknown alias": (json_body(version="best"), 404, "version_not_found"),
    "wrong task": (json_body(model="digits"), 409, "wrong_task"),
    "unloaded": (json_body(model="gone"), 503, "model_unloaded"),
    "no JSON": ({"data": b"{", "content_type": "application/json"}, 400, "unreadable_body"),
    "no body": ({"data": b"", "content_type": "application/json"}, 400, "empty_body"),
    "other type": ({"data": b"user_id\n1", "content_type": "text/csv"}, 415, "unsupported_media_type"),
    "no file": (form_body([("kind", (None, b"images"))]), 422, "input"),
    "no kind in form": (form_body([("input", ("a.csv", b"user_id\n1"))]), 422, "kind"),
    "file without a name": (form_body([("kind", (None, b"images")), ("input", (None, b"x"))]), 422, "input"),
    "unknown format": (file_body(name="rows.xlsx"), 422, "input"),
    "empty file": (file_body(b""), 422, "input"),
    "other bytes": (file_body(b"PAR1....PAR1"), 422, "input"),
    "cut off Parquet": (file_body(b"PAR1....", name="rows.parquet"), 422, "input"),
    "format of another kind": (file_body(b"PK\x03\x04", name="rows.zip"), 422, "input"),
    "unknown part": (file_body(surprise=b"x"), 422, "surprise"),
    "unreadable parameters": (file_body(parameters=b"{"), 422, "parameters"),
}


def test_what_is_wrong_is_named_and_nothing_stays(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    worker.publish()
    worker.services.residency.unload(worker.publish(name="gone", manifest=make_manifest(task="ranking")), by="test")
    worker.services.routing.refresh()
    for name, (body, status, expected) in REFUSALS.items():
        response = client.post(JOBS, headers=headers, **body)

        assert response.status_code == status, name
        assert expected in (response.json["errors"] if status == 422 else response.json["code"]), name

    assert (worker.sent, kept_files(worker)) == ([], [])
    assert client.get(JOBS, headers=headers).json == []


def test_files_may_be_larger_than_bodies(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, max_body_bytes=1000, max_job_bytes=3000)
    publish_ranking_model(worker)
    client, headers = worker.app.test_client(), worker.bearer()
    large = [{"user_id": number} for number in range(100)]

    statuses = [
        client.post(JOBS, headers=headers, **body).status_code
        for body in (json_body(), json_body(inputs=large), file_body(b"1\n" * 1000), file_body(b"1\n" * 2000))
    ]
    worker.services.close()

    assert statuses == [202, 413, 202, 413]


def test_many_rows_come_as_a_file(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    rows = b'{"user_id":1}\n' * (ROWS_BYTES // 14 + 1)
    as_json = {"data": b'{"kind":"recommendations","inputs":[%b{}]}' % rows.replace(b"\n", b","), **JSON_TYPE}

    refused = client.post(JOBS, headers=headers, **as_json)

    assert (refused.status_code, refused.json["code"]) == (413, "body_too_large")
    assert "as a file" in refused.json["detail"]
    assert client.post(JOBS, headers=headers, **file_body(rows)).status_code == 202


def test_file_that_did_not_say_its_size_leaves_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "SYNCED_BYTES", disk.PIECE_BYTES)
    worker = make_worker(tmp_path, job_disk_reserve=2**62)
    publish_ranking_model(worker)
    # A disk that had room when the request began.
    worker.services.job_room = JobRoom(worker.services.job_files, reserve_bytes=0)

    response = worker.app.test_client().post(JOBS, headers=worker.bearer(), **file_body(b"1\n" * 2**20))
    worker.services.close()

    assert (response.status_code, response.json["code"]) == (503, "disk_full")
    assert kept_files(worker) == []


def test_client_sends_so_many_files_at_once(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    with worker.app.app_context():
        places = current_uploads()
    with ExitStack() as stack:
        for _ in range(MOST_UPLOADS):
            stack.enter_context(places.take("jobs"))
        others = client.post(JOBS, headers=headers, **file_body())
        client_id = job_of(worker, others).client_id
        for _ in range(MOST_UPLOADS):
            stack.enter_context(places.take(client_id))
        refused = client.post(JOBS, headers=headers, **file_body())
        as_json = client.post(JOBS, headers=headers, **json_body())

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_uploads")
    assert (others.status_code, as_json.status_code) == (202, 202)
    assert client.post(JOBS, headers=headers, **file_body()).status_code == 202


def test_caller_must_be_allowed_to(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    bound = worker.bearer(scopes=frozenset({"jobs"}), models=("d*",))

    response = client.post(JOBS, headers=bound, **json_body())

    assert (response.status_code, response.json["code"]) == (403, "model_not_allowed")
    assert client.post(JOBS, headers=worker.bearer(scopes=frozenset({"infer"})), **json_body()).status_code == 403
