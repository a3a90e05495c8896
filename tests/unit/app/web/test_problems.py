"""One failure, two forms: problem documents, and the Open Inference Protocol's under /v2."""

from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.errors import GalleyError, InvalidFields, InvalidToken, QueueFull, UnsupportedEncoding
from app.web.error_handlers import init_error_handlers
from app.web.problems import is_v2_path, v2_status


def client_of_views_raising(error: Exception) -> FlaskClient:
    app = Flask(__name__)
    init_error_handlers(app)

    @app.get("/<path:path>")
    def view(path: str) -> str:
        raise error

    return app.test_client()


@pytest.mark.parametrize(
    ("path", "is_v2"), [("/v2", True), ("/v2/", True), ("/v2/x/y", True), ("/v2x", False), ("/", False), ("/v1", False)]
)
def test_paths_of_the_protocol_are_known(path: str, is_v2: bool) -> None:
    assert is_v2_path(path) is is_v2


def test_wrong_field_is_a_bad_request_under_v2_only() -> None:
    client = client_of_views_raising(InvalidFields({"timeout": ["Too small.", "Odd."], "id": ["No text."]}))

    assert client.get("/v2/models").status_code == 400
    assert client.get("/v3/models").status_code == 422


def test_error_is_one_sentence_that_says_which_field_is_wrong() -> None:
    response = client_of_views_raising(InvalidFields({"timeout": ["Too small."]})).get("/v2/models")

    assert response.content_type == "application/json"
    assert response.json == {
        "error": "These fields were not accepted: timeout. timeout: Too small.",
        "code": "validation_failed",
        "request_id": "",
        "retryable": False,
        "errors": {"timeout": ["Too small."]},
    }


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (QueueFull("Full.", retry_after_s=2.0), ("Retry-After", "2")),
        (InvalidToken(), ("WWW-Authenticate", 'Bearer realm="galley", error="invalid_token"')),
        (UnsupportedEncoding("br"), ("Accept-Encoding", "gzip, deflate")),
    ],
)
def test_headers_are_the_same_in_both_forms(error: GalleyError, header: tuple[str, str]) -> None:
    client = client_of_views_raising(error)

    for path in ("/v2/models", "/v3/models"):
        assert header in client.get(path).headers.items()


def test_failure_inside_is_told_to_nobody_under_v2() -> None:
    response = client_of_views_raising(RuntimeError("/etc/secret")).get("/v2/models")

    assert (response.status_code, response.json["code"]) == (500, "internal_error")
    assert "secret" not in response.text


def test_unknown_routes_and_methods_are_told_in_the_words_of_the_field() -> None:
    client = Flask(__name__).test_client()
    init_error_handlers(client.application)

    assert client.get("/v2/nothing").json["error"] == "Not Found"
    assert client.post("/static/x").json["detail"]
    assert client_of_views_raising(KeyError()).post("/v2/models").json["error"] == "Method Not Allowed"


def test_other_statuses_stay_what_they_are() -> None:
    assert v2_status(HTTPStatus.CONFLICT) is HTTPStatus.CONFLICT
