"""DELETE of a version, and POST /api/v1/models/{name}/retention."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.services.audit import AuditFilter
from tests.factories.web import WebWorker

PATH = "/api/v1/models/digits"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    return worker.bearer(scopes=frozenset({"models:write", "models:read"}))


def test_version_is_deleted_for_good(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    worker.publish()

    assert client.delete(f"{PATH}/versions/2", headers=headers).status_code == 204

    worker.services.routing.refresh()
    assert client.get(f"{PATH}/versions/2", headers=headers).json["code"] == "version_not_found"
    assert client.delete(f"{PATH}/versions/2", headers=headers).json["code"] == "version_not_found"
    assert worker.publish().version == 3


def test_deleting_is_audited(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    worker.publish()
    answer = client.delete(f"{PATH}/versions/2", headers=headers)

    (entry,) = worker.services.audit.entries(AuditFilter(action="version.delete"))
    assert entry.target == "digits/versions/2"
    assert entry.request_id == answer.headers["X-Request-ID"]


def test_version_in_use_is_not_deleted(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish()
    pinned = worker.publish()
    worker.services.residency.pin(pinned, by="test")

    for version, use in (("1", "the alias 'default'"), ("default", "the alias 'default'"), ("2", "pinned")):
        response = client.delete(f"{PATH}/versions/{version}", headers=headers)
        assert (response.status_code, response.json["code"]) == (409, "version_in_use")
        assert use in response.json["detail"]
    assert [ref.version for ref in worker.services.releases._store.refs()] == [1, 2]


@pytest.mark.parametrize("path", ["/api/v1/models/unheard-of/versions/1", f"{PATH}/versions/9"])
def test_what_is_not_there_is_404(worker: WebWorker, client: FlaskClient, headers: dict[str, str], path: str) -> None:
    worker.publish()

    assert client.delete(path, headers=headers).status_code == 404


def test_retention_is_a_dry_run_unless_told_otherwise(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    for _ in range(4):
        worker.publish()

    plan = client.post(f"{PATH}/retention", headers=headers, json={"keep": 2}).json

    assert (plan["dry_run"], plan["deleted"]) == (True, [2])
    assert [kept["version"] for kept in plan["kept"]] == [1, 3, 4]
    assert plan["kept"][0]["reasons"] == ["the alias 'default' points at it"]
    assert client.post(f"{PATH}/retention", headers=headers, json={"keep": 2}).json == plan


def test_retention_deletes_when_told(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], tmp_path: Path
) -> None:
    for _ in range(4):
        worker.publish()

    done = client.post(f"{PATH}/retention", headers=headers, json={"keep": 1, "dry_run": False}).json

    assert (done["dry_run"], done["deleted"]) == (False, [2, 3])
    assert sorted(path.parent.name for path in tmp_path.glob("store/digits/*/manifest.json")) == ["1", "4"]


@pytest.mark.parametrize("body", [{}, {"keep": 0}, {"keep": "2"}, {"keep": 1, "dry_run": "no"}, {"keep": 1.5}])
def test_wrong_field_is_named(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, object]
) -> None:
    worker.publish()

    response = client.post(f"{PATH}/retention", headers=headers, json=body)

    assert (response.status_code, response.json["code"]) == (422, "validation_failed")


def test_deleting_needs_scope_and_model(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()
    reader = worker.bearer(scopes=frozenset({"models:read"}))
    bound = worker.bearer(models=("fraud*",))

    for method, path in (("DELETE", f"{PATH}/versions/1"), ("POST", f"{PATH}/retention")):
        assert client.open(path, method=method, headers=reader, json={"keep": 1}).json["code"] == "insufficient_scope"
        assert client.open(path, method=method, headers=bound, json={"keep": 1}).json["code"] == "model_not_allowed"
