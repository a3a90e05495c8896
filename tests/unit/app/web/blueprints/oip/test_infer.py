"""POST /v2/models/NAME/infer: the body goes to a runner as it came, and its answer comes back likewise."""

import gzip
import random
import time
import zlib
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import DeadlineExceeded, GalleyError, ModelFailed, ModelLoading, QueueFull
from app.inference.messages import Form, Lane
from app.scenarios.tensor_frames import pack_answer
from app.services.aliases import AliasMove
from app.web.answers import PIECE_BYTES
from model_store.model_ref import ModelRef
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.inference import NOT_AN_IMAGE

PATH = "/v2/models/digits/infer"
REQUEST = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "FP32", "data": [1]}]}'
ANSWER = b'{"model_name":"digits","outputs":[]}'
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(autouse=True)
def _runner_answers(worker: WebWorker, digits: ModelRef) -> None:
    answer_with(worker, ANSWER)


def answer_with(worker: WebWorker, body: bytes, json_bytes: int | None = None) -> None:
    worker.inference.answer = lambda _row, _top_k: pack_answer(body, json_bytes)


def test_body_reaches_the_runner_as_it_came(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=REQUEST + b"\x00\xff", headers={**headers, LENGTH: str(len(REQUEST))})

    assert response.status_code == 200
    (call,) = worker.inference.calls
    assert call.rows == [REQUEST + b"\x00\xff"]
    assert (call.form, call.lane) == (Form.TENSORS, Lane.INTERACTIVE)
    assert call.parameters == {"json_bytes": len(REQUEST), "variant": None}


def test_json_answer_is_passed_on(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=REQUEST, headers=headers)

    assert (response.data, response.content_type) == (ANSWER, "application/json")
    assert LENGTH not in response.headers
    assert (response.headers["X-Model-Name"], response.headers["X-Model-Version"]) == ("digits", "1")
    assert response.headers["Server-Timing"].startswith("queue;dur=1.00, compute;dur=2.00, total;dur=")
    assert int(response.headers["X-RateLimit-Limit"]) == 5000


def test_binary_answer_tells_where_its_json_ends(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    answer_with(worker, ANSWER + b"\x00\xff", len(ANSWER))

    response = client.post(PATH, data=REQUEST, headers=headers)

    assert (response.data, response.content_type) == (ANSWER + b"\x00\xff", "application/octet-stream")
    assert response.headers[LENGTH] == str(len(ANSWER))


def test_large_answer_comes_whole(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    body = random.Random(1).randbytes(3 * PIECE_BYTES + 1)
    answer_with(worker, body, 0)

    response = client.post(PATH, data=REQUEST, headers=headers)

    assert response.data == body
    assert response.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/v2/models/digits/versions/1/infer"])
@pytest.mark.parametrize(("name", "unpack"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_answer_is_compressed_when_asked_for(
    client: FlaskClient, headers: dict[str, str], path: str, name: str, unpack: Any
) -> None:
    response = client.post(path, data=REQUEST, headers={**headers, "Accept-Encoding": f"{name}, br"})

    assert (response.headers["Content-Encoding"], response.headers["Vary"]) == (name, "Accept-Encoding")
    assert unpack(response.data) == ANSWER


def test_compressed_request_is_unpacked(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=gzip.compress(REQUEST), headers={**headers, "Content-Encoding": "gzip"})

    assert response.status_code == 200
    assert "Content-Encoding" not in response.headers
    assert worker.inference.calls[0].rows == [REQUEST]


def test_other_compression_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=REQUEST, headers={**headers, "Content-Encoding": "br"})

    assert (response.status_code, response.json["code"]) == (415, "unsupported_encoding")
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


def test_bomb_is_too_large(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    bomb = gzip.compress(bytes(worker.services.settings.max_body_bytes + 1))

    response = client.post(PATH, data=bomb, headers={**headers, "Content-Encoding": "gzip"})

    assert (response.status_code, response.json["code"]) == (413, "body_too_large")
    assert worker.inference.calls == []


@pytest.mark.parametrize(
    ("version", "number"), [("", 1), ("/versions/1", 1), ("/versions/2", 2), ("/versions/next", 2)]
)
def test_version_is_a_number_or_an_alias(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], version: str, number: int
) -> None:
    worker.services.aliases.set("digits", "next", AliasMove(version=str(worker.publish().version), by="test"))
    worker.services.routing.refresh()

    response = client.post(f"/v2/models/digits{version}/infer", data=REQUEST, headers=headers)

    assert response.headers["X-Model-Version"] == str(number)


def test_timeout_shortens_the_deadline(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    client.post(PATH, data=b'{"parameters": {"timeout": 2000000}}', headers=headers)
    client.post(PATH, data=b'{"parameters": {"timeout": 999000000000}}', headers=headers)

    short, usual = (call.deadline - time.monotonic() for call in worker.inference.calls)
    assert short <= 2.0
    assert 2.0 < usual <= worker.services.settings.request_timeout_s


def test_priority_lets_others_go_first(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    client.post(PATH, data=b'{"parameters": {"priority": 3}}', headers=headers)

    assert worker.inference.calls[0].lane is Lane.BATCH


@pytest.mark.parametrize(
    ("error", "status"),
    [(QueueFull("Full."), 503), (ModelLoading("Soon."), 503), (DeadlineExceeded(1.0), 504), (ModelFailed("No."), 502)],
)
def test_failures_have_the_form_of_the_protocol(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], error: GalleyError, status: int
) -> None:
    worker.inference.error = error

    response = client.post(PATH, data=REQUEST, headers=headers)

    assert response.status_code == status
    assert response.json == {
        "error": error.detail,
        "code": error.code,
        "request_id": response.headers["X-Request-ID"],
        "retryable": error.is_retryable,
    }
    assert ("Retry-After" in response.headers) == (status == 503)


def test_row_that_the_runner_refuses_fails_the_call(client: FlaskClient, headers: dict[str, str]) -> None:
    response = client.post(PATH, data=NOT_AN_IMAGE, headers={**headers, LENGTH: "0"})

    assert (response.status_code, response.json["error"]) == (415, "The bytes are not an image.")


def test_heavy_model_is_asked_where_it_runs(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> None:
    worker.publish(name="heavy", manifest=make_manifest(execution="heavy"))
    worker.heavy.answer = worker.inference.answer

    for path in ("/v2/models/heavy/infer", "/v2/models/heavy/versions/1/infer"):
        response = client.post(path, data=REQUEST, headers={**headers, "X-Request-ID": "abc"})
        assert (response.status_code, response.headers["X-Model-Name"]) == (200, "heavy")
        assert response.headers["Server-Timing"].startswith("queue;dur=1.00, compute;dur=2.00")

    assert [(call.rows, call.request_id) for call in worker.heavy.calls] == [([REQUEST], "abc")] * 2
    assert worker.inference.calls == []


def test_heavy_model_without_a_worker_says_when_to_come_back(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str]
) -> None:
    worker.publish(name="heavy", manifest=make_manifest(execution="heavy"))
    worker.heavy.error = ModelLoading("Nobody is there.", retry_after_s=15.0)

    response = client.post("/v2/models/heavy/infer", data=REQUEST, headers=headers)

    assert (response.status_code, response.json["code"]) == (503, "model_loading")
    assert response.headers["Retry-After"] == "15"


def test_callers_without_token_scope_or_model_are_refused(worker: WebWorker, client: FlaskClient) -> None:
    reader, stranger = worker.bearer(scopes=frozenset({"models:read"})), worker.bearer(models=("fraud",))

    anonymous = client.post(PATH, data=REQUEST)
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, 'Bearer realm="galley"')
    assert anonymous.json["error"]
    assert client.post(PATH, data=REQUEST, headers=reader).json["code"] == "insufficient_scope"
    assert client.post(PATH, data=REQUEST, headers=stranger).json["code"] == "model_not_allowed"
