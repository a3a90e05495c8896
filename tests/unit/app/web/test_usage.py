"""What the usage log is told of a request; tests/integration/test_usage.py counts them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from app.errors import ModelFailed
from tests.factories.web import WebWorker, make_worker

INPUTS = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1.5]}]}
PATH = "/api/v1/images/classifications"


@pytest.fixture
def noted(worker: WebWorker) -> Iterator[list[Any]]:
    """Return what was noted."""
    worker.publish()
    noted: list[Any] = []
    with mock.patch.object(worker.services.usage, "note", side_effect=lambda *one: noted.append(one)):
        yield noted


def classify(client: FlaskClient, headers: dict[str, str], query: str = "") -> Any:
    return client.post(PATH + query, data=b"picture", content_type="image/png", headers=headers)


def test_an_answered_request_is_noted_with_its_model(worker: WebWorker, client: FlaskClient, noted: list[Any]) -> None:
    classify(client, worker.bearer())

    [(client_id, *rest)] = noted
    assert client_id.startswith("client-")
    assert rest == ["inference", 200, "digits", 1]


def test_a_request_that_failed_is_noted_too(worker: WebWorker, client: FlaskClient, noted: list[Any]) -> None:
    worker.inference.error = ModelFailed("It raised.")
    classify(client, worker.bearer())

    assert [one[1:] for one in noted] == [("inference", 502, "digits", 0)]


def test_a_refused_request_is_noted_without_a_model(worker: WebWorker, client: FlaskClient, noted: list[Any]) -> None:
    client.get("/api/v1/models/none", headers=worker.bearer())
    classify(client, worker.bearer(scopes=frozenset({"jobs"})))

    assert [one[1:] for one in noted] == [("management", 404, "", 0), ("inference", 403, "", 0)]


def test_a_model_that_is_not_there_is_no_model(worker: WebWorker, client: FlaskClient, noted: list[Any]) -> None:
    classify(client, worker.bearer(), "?model=made-up")

    assert [one[1:] for one in noted] == [("inference", 404, "", 0)]


def test_strangers_and_open_routes_are_not_noted(client: FlaskClient, noted: list[Any]) -> None:
    answers = [client.get("/health/live"), client.post(PATH), classify(client, {"Authorization": "Bearer x"})]

    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert noted == []


@pytest.mark.parametrize("fast_path", [True, False])
def test_both_ways_note_alike(tmp_path: Path, *, fast_path: bool) -> None:
    worker = make_worker(tmp_path, fast_path=fast_path)
    worker.publish()
    noted: list[Any] = []
    with mock.patch.object(worker.services.usage, "note", side_effect=lambda *one: noted.append(one)):
        for model, scope in (("digits", "infer"), ("none", "infer"), ("digits", "jobs")):
            headers = worker.bearer(scopes=frozenset({scope}))
            worker.app.test_client().post(f"/v2/models/{model}/infer", json=INPUTS, headers=headers)
        worker.app.test_client().post("/v2/models/digits/infer", json=INPUTS)
    worker.services.close()

    assert [one[1:] for one in noted] == [
        ("inference", 200, "digits", 1),
        ("inference", 404, "", 0),
        ("inference", 403, "", 0),
    ]
