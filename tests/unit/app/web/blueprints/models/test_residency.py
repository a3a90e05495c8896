"""POST …/load|unload|pin|unpin and PUT …/instances."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.inference.messages import RunnerState
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.inference import make_record

PATH = "/api/v1/models/digits/versions/1"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    worker.publish()
    return worker.bearer(scopes=frozenset({"models:write"}))


def test_unload_and_load(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    unloaded = client.post(f"{PATH}/unload", headers=headers)
    loaded = client.post(f"{PATH}/load", headers=headers)

    assert (unloaded.status_code, unloaded.json["unloaded"]) == (200, True)
    assert (loaded.status_code, loaded.json["unloaded"], loaded.json["state"]) == (200, False, "READY")
    assert [ref.version for ref in worker.directory.wanted] == [1]


def test_unloaded_version_answers_nobody(client: FlaskClient, headers: dict[str, str], worker: WebWorker) -> None:
    client.post(f"{PATH}/unload", headers=headers)

    answer = client.post(
        "/api/v1/images/classifications?model=digits",
        data=b"picture",
        headers={**worker.bearer(), "Content-Type": "image/png"},
    )

    assert (answer.status_code, answer.json["code"]) == (503, "model_unloaded")
    assert int(answer.headers["Retry-After"]) > 0


def test_failed_load_says_why(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    ref = worker.services.releases.find("digits").ref
    worker.run(make_record(ref, state=RunnerState.FAILED, reason="The hash differs."))

    answer = client.post(f"{PATH}/load", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (409, "load_failed")
    assert "The hash differs." in answer.json["detail"]


def test_slow_load_says_when_to_ask_again(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.run()

    answer = client.post(f"{PATH}/load", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (503, "model_loading")
    assert int(answer.headers["Retry-After"]) > 0


def test_pin_and_unpin(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(f"{PATH}/pin", headers=headers).json["pinned"] is True
    assert client.post(f"{PATH}/unpin", headers=headers).json["pinned"] is False


def test_alias_names_the_version(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post(f"{PATH[:-1]}default/pin", headers=headers).json["version"] == 1


def test_instances(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.put(f"{PATH}/instances", json={"instances": 3}, headers=headers)

    assert (answer.status_code, answer.json["instances"]) == (200, 3)


@pytest.mark.parametrize("instances", [0, 17, "2", 1.5, None, True])
def test_instances_must_be_a_small_number(client: FlaskClient, headers: dict[str, str], instances: Any) -> None:
    answer = client.put(f"{PATH}/instances", json={"instances": instances}, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")


def test_heavy_version_is_ready_while_a_worker_serves_it(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    worker.publish(name="heavy", manifest=make_manifest(execution="heavy"))

    answer = client.post("/api/v1/models/heavy/versions/1/load", headers=headers)
    assert (answer.status_code, answer.json["state"]) == (200, "READY")

    instances = client.put("/api/v1/models/heavy/versions/1/instances", json={"instances": 2}, headers=headers)
    assert (instances.status_code, instances.json["code"]) == (409, "model_is_heavy")
