"""POST /v2/repository: what is there, loaded and unloaded by name."""

import pytest
from flask.testing import FlaskClient

from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker
from tests.fakes.inference import make_record

INDEX = "/v2/repository/index"


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
