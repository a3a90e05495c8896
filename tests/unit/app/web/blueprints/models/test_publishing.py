"""POST /api/v1/models/{name}/versions."""

from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import pytest
from flask import Response
from flask.testing import FlaskClient
from werkzeug.test import create_environ

from app.db.repositories.jobs import JobFacts
from app.errors import DiskFull
from app.infra.disk import NewFile
from app.infra.task_names import TaskName
from app.services.publishing import PublishingService, Submission
from tests.factories.uploads import MANIFEST, version_body
from tests.factories.web import WebWorker

PATH = "/api/v1/models/churn/versions"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer(scopes=frozenset({"models:write"}))


@pytest.fixture
def quarantine(worker: WebWorker) -> Path:
    return worker.services.settings.var_dir / "quarantine"


def manifest(**changes: Any) -> bytes:
    return orjson.dumps({**orjson.loads(MANIFEST), **changes})


def uploads(quarantine: Path) -> list[Path]:
    return list(quarantine.glob("*"))


def test_upload_becomes_a_job(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    more = [("samples", ("s.json", b'{"samples": []}')), ("alias", (None, b"stable")), ("pin", (None, b"true"))]

    response = client.post(PATH, headers=headers, **version_body(*more, ("assets", ("terms.txt", b"one"))))

    job = response.json
    assert (response.status_code, response.headers["Location"]) == (202, f"/api/v1/jobs/{job['id']}")
    assert (job["kind"], job["state"], job["model"], job["version"]) == ("verification", "queued", "churn", None)
    assert worker.sent == [(TaskName.VERIFY_VERSION, job["id"])]
    facts = worker.services.jobs.find(job["id"])
    assert facts.parameters == {"alias": "stable", "pin": True}
    draft = worker.services.publishing.draft(facts)
    assert (draft.artifact.read_bytes(), draft.samples) == (b"weights", b'{"samples": []}')
    assert {name: path.read_bytes() for name, path in draft.assets.items()} == {"terms.txt": b"one"}
    assert (draft.name, draft.version, draft.job) == ("churn", None, job["id"])


def test_upload_of_a_client_that_was_deleted_meanwhile_is_no_job(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], quarantine: Path
) -> None:
    accept = PublishingService.accept

    def delete_and_accept(publishing: PublishingService, submission: Submission) -> JobFacts:
        worker.services.clients.delete(submission.client_id, by="test")
        return accept(publishing, submission)

    with mock.patch.object(PublishingService, "accept", autospec=True, side_effect=delete_and_accept):
        response = client.post(PATH, headers=headers, **version_body())

    assert (response.status_code, response.json["code"]) == (401, "token_revoked")
    assert uploads(quarantine) == []
    assert worker.sent == []


def test_manifest_may_ask_for_a_version(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, headers=headers, **version_body(manifest=manifest(version=7)))

    assert response.json["version"] == 7
    assert worker.services.jobs.find(response.json["id"]).version == 7


def test_taken_version_is_refused_at_once(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], quarantine: Path
) -> None:
    worker.publish(name="churn")
    deleted = worker.publish(name="churn")
    worker.services.retention.delete(deleted, by="test")

    for version, reason in ((1, "already published"), (2, "deleted")):
        response = client.post(PATH, headers=headers, **version_body(manifest=manifest(version=version)))
        assert (response.status_code, response.json["code"]) == (409, "version_exists")
        assert reason in response.json["detail"]
    assert (uploads(quarantine), worker.sent) == ([], [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (version_body(manifest=b"not JSON"), "manifest"),
        (version_body(manifest=b"\xff"), "manifest"),
        (version_body(manifest=b"{" + b" " * 2**20), "manifest"),
        (version_body(manifest=manifest(name="other")), "manifest"),
        (version_body(manifest=manifest(version=-1)), "manifest"),
        (version_body(manifest=manifest(surprise=1)), "manifest"),
        (version_body(("alias", (None, b"../1"))), "alias"),
        (version_body(("alias", (None, b"\xff"))), "alias"),
        (version_body(("pin", (None, b"maybe"))), "pin"),
        (version_body(("extra", (None, b"x"))), "extra"),
        (version_body(("manifest", (None, MANIFEST))), "manifest"),
        (version_body(artifact=b""), "artifact"),
    ],
)
def test_wrong_part_is_named_and_nothing_stays(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, Any], field: str
) -> None:
    response = client.post(PATH, headers=headers, **body)

    assert (response.status_code, list(response.json["errors"])) == (422, [field])
    assert uploads(worker.services.settings.var_dir / "quarantine") == []
    assert worker.sent == []


def test_upload_that_breaks_off_leaves_nothing(worker: WebWorker, headers: dict[str, str], quarantine: Path) -> None:
    body = version_body()
    environ = create_environ(PATH, method="POST", headers=headers)
    half = BytesIO(body["data"][: len(body["data"]) // 2])
    environ |= {"wsgi.input": half, "CONTENT_TYPE": body["content_type"], "CONTENT_LENGTH": str(len(body["data"]))}

    response = Response.from_app(worker.app, environ)

    assert (response.status_code, response.json["code"]) == (400, "unreadable_body")
    assert uploads(quarantine) == []


def test_full_disk_leaves_nothing(
    client: FlaskClient, headers: dict[str, str], quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: NewFile, _data: bytes) -> None:
        raise DiskFull("The disk has no room for what was sent.", retry_after_s=60)

    monkeypatch.setattr(NewFile, "write", refuse)
    response = client.post(PATH, headers=headers, **version_body())

    assert (response.status_code, response.json["code"]) == (503, "disk_full")
    assert uploads(quarantine) == []


def test_name_that_no_model_can_have_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post("/api/v1/models/stats/versions", headers=headers, **version_body())

    assert (response.status_code, response.json["code"]) == (422, "invalid_name")


def test_publishing_needs_scope_and_model(worker: WebWorker, client: FlaskClient) -> None:
    reader = worker.bearer(scopes=frozenset({"models:read"}))
    bound = worker.bearer(models=("fraud*",))

    assert client.post(PATH, headers=reader, **version_body()).json["code"] == "insufficient_scope"
    assert client.post(PATH, headers=bound, **version_body()).json["code"] == "model_not_allowed"
