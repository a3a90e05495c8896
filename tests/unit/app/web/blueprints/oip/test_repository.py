"""POST /v2/repository: what is there, loaded and unloaded by name."""

import pytest
from flask.testing import FlaskClient

from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker
from tests.fakes.inference import make_record

INDEX = "/v2/repository/index"
MODEL = "/v2/repository/models/digits"


@pytest.fixture
def loading(worker: WebWorker, digits: ModelRef) -> ModelRef:
    """Publish version 2 of `digits`, which is being loaded, beside version 1, which is READY."""
    ref = worker.publish()
    worker.run(make_record(digits), make_record(ref, state=RunnerState.LOADING))
    return ref


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": false}'])
def test_index_has_one_entry_per_version(
    client: FlaskClient, headers: dict[str, str], loading: ModelRef, body: bytes
) -> None:
    response = client.post(INDEX, data=body, headers={**headers, "Content-Type": "application/octet-stream"})

    assert response.status_code == 200
    assert response.json == [
        {"name": "digits", "version": "1", "state": "READY", "reason": ""},
        {"name": "digits", "version": "2", "state": "LOADING", "reason": ""},
    ]


def test_index_of_the_ready_ones(client: FlaskClient, headers: dict[str, str], loading: ModelRef) -> None:
    response = client.post(INDEX, data=b'{"ready": true}', headers=headers)

    assert [entry["version"] for entry in response.json] == ["1"]


def test_index_is_of_models_the_caller_may_use(worker: WebWorker, client: FlaskClient, digits: ModelRef) -> None:
    assert client.post(INDEX, headers=worker.bearer(models=("fraud",))).json == []


def test_index_refuses_what_is_no_order(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(INDEX, data=b'{"ready": "yes"}', headers=headers)

    assert (response.status_code, response.json["code"]) == (400, "unreadable_body")


@pytest.mark.parametrize(("path", "number"), [("", 1), ("/versions/2", 2), ("/versions/default", 1)])
def test_load_answers_once_the_version_is_ready(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], loading: ModelRef, path: str, number: int
) -> None:
    ref = ModelRef("digits", number)
    worker.services.residency.unload(ref, by="test")
    worker.directory.waiting_brings = [make_record(ref)]

    response = client.post(f"{MODEL}{path}/load", headers=headers)

    assert (response.status_code, response.data) == (200, b"")
    assert worker.directory.wanted == [ref]
    assert not worker.services.routing.refresh()["digits"].versions[number].is_unloaded


@pytest.mark.parametrize("body", [b"{}", b'{"parameters": {}}'])
def test_load_takes_a_body_that_asks_for_nothing(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef, body: bytes
) -> None:
    worker.directory.show(make_record(digits))

    assert client.post(f"{MODEL}/load", data=body, headers=headers).status_code == 200


def test_load_that_fails_says_why(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    worker.directory.show(make_record(digits, state=RunnerState.FAILED, reason="A file is damaged."))

    response = client.post(f"{MODEL}/load", headers=headers)

    assert (response.status_code, response.json["code"]) == (409, "load_failed")
    assert response.json["error"].endswith("A file is damaged.")


def test_load_that_is_not_done_in_time_goes_on(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    worker.run()

    response = client.post(f"{MODEL}/load", headers=headers)

    assert (response.status_code, response.json["code"]) == (503, "model_loading")
    assert int(response.headers["Retry-After"]) >= 1


def test_load_with_other_files_is_refused(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    response = client.post(f"{MODEL}/load", data=b'{"parameters": {"config": "{}"}}', headers=headers)

    assert response.status_code == 400
    assert "parameters.config: Versions never change" in response.json["error"]
    assert worker.directory.wanted == []


@pytest.mark.parametrize("body", [b"", b'{"parameters": {"unload_dependents": false}}'])
def test_unload_is_a_wish_that_is_kept(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], loading: ModelRef, body: bytes
) -> None:
    response = client.post(f"{MODEL}/versions/2/unload", data=body, headers=headers)

    assert (response.status_code, response.data) == (200, b"")
    versions = worker.services.routing.refresh()["digits"].versions
    assert {number for number, facts in versions.items() if facts.is_unloaded} == {2}


def test_only_writers_load_and_unload_only_their_models(
    worker: WebWorker, client: FlaskClient, digits: ModelRef
) -> None:
    reader, other = worker.bearer(scopes=frozenset({"infer", "models:read"})), worker.bearer(models=("fraud",))

    for verb in ("load", "unload"):
        assert client.post(f"{MODEL}/{verb}", headers=reader).json["code"] == "insufficient_scope"
        assert client.post(f"{MODEL}/{verb}", headers=other).json["code"] == "model_not_allowed"
        assert client.post(f"/v2/repository/models/nobody/{verb}", headers=worker.bearer()).status_code == 404
