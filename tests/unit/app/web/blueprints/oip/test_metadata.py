"""GET /v2 and /v2/models: what clients learn of server and models before they call them."""

import pytest
from flask.testing import FlaskClient

from app.inference.messages import RunnerState
from app.web.blueprints.oip.metadata import EXTENSIONS
from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker
from tests.fakes.inference import make_record


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_says_what_it_can(client: FlaskClient, headers: dict[str, str], path: str) -> None:
    response = client.get(path, headers=headers)

    assert response.status_code == 200
    assert set(response.json) == {"name", "version", "extensions"}
    assert response.json["extensions"] == list(EXTENSIONS)


def test_models_are_those_the_caller_may_use(worker: WebWorker, client: FlaskClient, digits: ModelRef) -> None:
    worker.publish(name="fraud")

    assert client.get("/v2/models", headers=worker.bearer(models=("d*",))).json == {"models": ["digits"]}


@pytest.mark.parametrize("path", ["", "/", "/versions/1", "/versions/default", "/versions/1/"])
def test_model_says_what_it_takes(client: FlaskClient, headers: dict[str, str], digits: ModelRef, path: str) -> None:
    response = client.get(f"/v2/models/digits{path}", headers=headers)

    assert response.status_code == 200
    assert response.json == {
        "name": "digits",
        "versions": ["1"],
        "platform": "pytorch_torchscript",
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 8, 8]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}],
    }


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("unheard-of", "model_not_found"),
        ("..", "model_not_found"),
        ("digits/versions/9", "version_not_found"),
        ("digits/versions/nobody", "version_not_found"),
        ("a%20b", "model_not_found"),
        ("a%2Fb", "route_not_found"),
        ("%00", "model_not_found"),
    ],
)
def test_unknown_models_are_told(
    client: FlaskClient, headers: dict[str, str], digits: ModelRef, path: str, code: str
) -> None:
    response = client.get(f"/v2/models/{path}", headers=headers)

    assert (response.status_code, response.json["code"]) == (404, code)
    assert response.json["error"]


def test_model_is_ready(client: FlaskClient, headers: dict[str, str], digits: ModelRef) -> None:
    for path in ("ready", "versions/1/ready", "versions/default/ready"):
        response = client.get(f"/v2/models/digits/{path}", headers=headers)
        assert (response.status_code, response.json) == (200, {"name": "digits", "ready": True})


def test_model_without_a_runner_is_not_ready(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    worker.run(make_record(digits, state=RunnerState.LOADING))

    response = client.get("/v2/models/digits/ready", headers=headers)

    assert (response.status_code, response.json["ready"]) == (503, False)
    assert response.json["reasons"] == ["digits/1 is LOADING."]
    assert response.json["error"] == "Not ready: digits/1 is LOADING."


def test_unloaded_model_is_not_ready(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    worker.services.residency.unload(digits, by="test")
    worker.services.routing.refresh()

    response = client.get("/v2/models/digits/ready", headers=headers)

    assert (response.status_code, response.json["code"], response.json["ready"]) == (503, "model_unloaded", False)
    assert response.json["reasons"] == ["Version 1 of the model 'digits' was unloaded."]


def test_model_bound_clients_learn_of_no_other(worker: WebWorker, client: FlaskClient, digits: ModelRef) -> None:
    headers = worker.bearer(models=("fraud",))

    for path in ("", "/ready", "/config", "/stats", "/versions/1", "/versions/1/stats"):
        response = client.get(f"/v2/models/digits{path}", headers=headers)
        assert (response.status_code, response.json["code"]) == (403, "model_not_allowed"), path


@pytest.mark.parametrize(("scope", "status"), [("infer", 200), ("models:read", 200), ("jobs", 403)])
def test_metadata_asks_for_one_of_two_scopes(
    worker: WebWorker, client: FlaskClient, digits: ModelRef, scope: str, status: int
) -> None:
    headers = worker.bearer(scopes=frozenset({scope}))

    for path in ("/v2", "/v2/models", "/v2/models/digits", "/v2/models/stats"):
        assert client.get(path, headers=headers).status_code == status, path


def test_metadata_is_never_compressed(client: FlaskClient, headers: dict[str, str], digits: ModelRef) -> None:
    accepting = {**headers, "Accept-Encoding": "gzip, deflate, br"}

    for path in ("/v2", "/v2/models", "/v2/models/digits", "/v2/models/digits/config", "/v2/models/stats"):
        assert "Content-Encoding" not in client.get(path, headers=accepting).headers
