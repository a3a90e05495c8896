"""POST /api/v1/images/classifications, from the request's bytes to the answer's."""

import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.errors import ModelLoading, QueueFull
from app.services.aliases import AliasMove
from tests.factories.uploads import upload
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.inference import NOT_AN_IMAGE

PATH = "/api/v1/images/classifications"


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    worker.publish()
    return worker.bearer(scopes=frozenset({"infer"}))


def test_raw_body_is_classified(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=b"raw bytes", headers={**headers, "Content-Type": "image/png"})

    assert response.status_code == 200
    assert response.json == {
        "results": [
            {
                "labels": [
                    {"index": 0, "label": "9 bytes", "score": 1.0},
                    {"index": 1, "label": "9 bytes", "score": 0.5},
                    {"index": 2, "label": "9 bytes", "score": 1 / 3},
                ],
                "width": 8,
                "height": 6,
            }
        ],
        "model": {"name": "digits", "version": 1, "variant": None},
    }
    assert worker.inference.calls[0].rows == [b"raw bytes"]


def test_answer_names_who_answered_and_how_long_it_took(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=b"raw bytes", headers=headers)

    assert response.headers["X-Model-Name"] == "digits"
    assert response.headers["X-Model-Version"] == "1"
    timing = dict(stage.split(";dur=") for stage in response.headers["Server-Timing"].split(", "))
    assert timing["queue"] == "1.00"
    assert timing["compute"] == "2.00"
    assert float(timing["total"]) > 0


def test_parts_are_answered_in_order(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, headers=headers, **upload(b"1", b"333", b"22"))

    assert labels(response) == ["1 bytes", "3 bytes", "2 bytes"]


def test_large_part_arrives_whole(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    image = bytes(range(256)) * 8192

    client.post(PATH, headers=headers, **upload(image))

    assert worker.inference.calls[0].rows == [image]


def test_bad_part_among_good_ones_fails_alone(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, headers=headers, **upload(b"good", NOT_AN_IMAGE, b"good too"))

    assert response.status_code == 200
    assert response.json["results"][1] == {
        "error": {"code": "unsupported_image", "detail": "The bytes are not an image."}
    }
    assert [result.get("width") for result in response.json["results"]] == [8, None, 8]


def test_bad_image_alone_fails_the_call(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=NOT_AN_IMAGE, headers=headers)

    assert response.status_code == 415
    assert response.json["code"] == "unsupported_image"
    assert response.json["detail"] == "The bytes are not an image."


def test_caller_chooses_model_and_top_k(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="flowers")
    second = worker.publish(name="flowers")

    response = client.post(f"{PATH}?model=flowers&version=2&top_k=1", data=b"raw", headers=headers)

    assert response.json["model"] == {"name": "flowers", "version": 2, "variant": None}
    assert len(response.json["results"][0]["labels"]) == 1
    assert worker.inference.calls[0].ref == second


def test_version_may_be_an_alias(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    second = worker.publish()
    worker.services.aliases.set("digits", "next", AliasMove(version=str(second.version), by="test"))
    worker.services.routing.refresh()

    response = client.post(f"{PATH}?version=next", data=b"raw", headers=headers)

    assert response.json["model"]["version"] == 2


@pytest.mark.parametrize("top_k", ["0", "-1", "1000000000", "x", "1.5", ""])
def test_impossible_top_k_is_named(client: FlaskClient, headers: dict[str, str], top_k: str) -> None:
    response = client.post(f"{PATH}?top_k={top_k}", data=b"raw", headers=headers)

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["top_k"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("model=unheard-of", "model_not_found"),
        ("model=..%2F..%2Fetc%2Fpasswd", "model_not_found"),
        ("model=stats", "model_not_found"),
        ("version=99", "version_not_found"),
        ("version=-1", "version_not_found"),
        ("version=unheard-of", "version_not_found"),
        ("version=%F0%9F%90%8C", "version_not_found"),
        ("version=..%2F1", "version_not_found"),
    ],
)
def test_unknown_model_or_version_is_404(client: FlaskClient, headers: dict[str, str], query: str, code: str) -> None:
    response = client.post(f"{PATH}?{query}", data=b"raw", headers=headers)

    assert (response.status_code, response.json["code"]) == (404, code)


def test_endless_names_are_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(f"{PATH}?model={'m' * 129}&version={'9' * 5000}", data=b"raw", headers=headers)

    assert response.status_code == 422
    assert sorted(response.json["errors"]) == ["model", "version"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"data": b""}, 400, "empty_body"),
        (upload(b""), 400, "empty_body"),
        (upload(b"image", part="file"), 422, "validation_failed"),
        ({"data": {"image": "text"}, "content_type": "multipart/form-data"}, 422, "validation_failed"),
        (upload(*[b"image"] * 33), 422, "too_many_images"),
    ],
    ids=["empty", "empty part", "wrong field", "text field", "33 parts"],
)
def test_body_without_images_is_refused(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], body: dict[str, Any], status: int, code: str
) -> None:
    response = client.post(PATH, headers=headers, **body)

    assert (response.status_code, response.json["code"]) == (status, code)
    assert worker.inference.calls == []


def test_thirty_two_images_are_taken(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, headers=headers, **upload(*[b"x" * size for size in range(1, 33)]))

    assert labels(response) == [f"{size} bytes" for size in range(1, 33)]


def test_model_of_another_task_is_refused(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="fraud", manifest=make_manifest(task="sequence-scoring"))

    response = client.post(f"{PATH}?model=fraud", data=b"raw", headers=headers)

    assert (response.status_code, response.json["code"]) == (409, "wrong_task")


def test_client_bound_to_other_models_is_refused(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()

    response = client.post(PATH, data=b"raw", headers=worker.bearer(models=("flowers-*",)))

    assert (response.status_code, response.json["code"]) == (403, "model_not_allowed")


def test_caller_needs_the_scope(worker: WebWorker, client: FlaskClient) -> None:
    response = client.post(PATH, data=b"raw", headers=worker.bearer(scopes=frozenset({"jobs"})))

    assert (response.status_code, response.json["code"]) == (403, "insufficient_scope")
    assert 'scope="infer"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("error", [QueueFull("Full.", retry_after_s=2.2), ModelLoading("Loading.", retry_after_s=3)])
def test_overload_says_when_to_come_back(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], error: QueueFull
) -> None:
    worker.inference.error = error

    response = client.post(PATH, data=b"raw", headers=headers)

    assert (response.status_code, response.json["code"]) == (503, error.code)
    assert response.json["retryable"] is True
    assert response.headers["Retry-After"] == "3"


def test_deadline_reaches_the_runner(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    before = time.monotonic()

    client.post(PATH, data=b"raw", headers={**headers, "Request-Timeout": "1.5", "X-Request-ID": "asked-here"})

    call = worker.inference.calls[0]
    assert before + 1.5 <= call.deadline <= time.monotonic() + 1.5
    assert call.request_id == "asked-here"


def test_deadline_that_passed_is_504(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=b"raw", headers={**headers, "Request-Timeout": "0.000000001"})

    assert (response.status_code, response.json["code"]) == (504, "deadline_exceeded")
    assert "Retry-After" not in response.headers


def labels(response: TestResponse) -> list[str]:
    return [result["labels"][0]["label"] for result in response.json["results"]]
