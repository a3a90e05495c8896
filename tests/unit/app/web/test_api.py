"""What views say of their errors in the OpenAPI document, and how they read bodies."""

from typing import Any

import pytest
from flask import Flask
from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import NotFound

from app.errors import EmptyBody, MissingToken, QueueFull, UnreadableBody
from app.web import api as api_module
from app.web.api import LARGE_BODY_BYTES, GalleyApi, GalleyBlueprint, example_of, init_api, problems


@pytest.fixture
def api() -> GalleyApi:
    return init_api(Flask(__name__))


def test_errors_of_one_status_are_examples_of_one_answer(api: GalleyApi) -> None:
    blueprint = Blueprint("things", __name__)

    @blueprint.route("/things", methods=["POST"])
    @problems(UnreadableBody, EmptyBody)
    @problems(QueueFull)
    @problems(MissingToken)
    @blueprint.response(204)
    def make() -> None:
        """Make a thing."""

    api.register_blueprint(blueprint)

    answers = api.spec.to_dict()["paths"]["/things"]["post"]["responses"]
    assert set(answers) == {"204", "400", "401", "503", "500"}
    assert set(answers["400"]["content"]["application/problem+json"]["examples"]) == {"unreadable_body", "empty_body"}
    assert set(answers["503"]["headers"]) == {"Retry-After"}
    assert set(answers["401"]["headers"]) == {"WWW-Authenticate"}


def test_documenting_one_view_leaves_others_alone() -> None:
    @problems(EmptyBody)
    def first() -> None: ...

    @problems()
    def second() -> None: ...

    assert set(second._apidoc["manual_doc"]["responses"]) == {"500"}  # type: ignore[attr-defined]


def test_example_is_a_whole_document() -> None:
    example = example_of(QueueFull)

    assert (example["status"], example["code"], example["retryable"]) == (503, "queue_full", True)
    assert example["detail"] == "There is no room for another request, whoever asks."


def test_failures_of_the_framework_look_like_all_others(api: GalleyApi) -> None:
    response = api.handle_http_exception(NotFound())

    assert (response.status_code, response.content_type) == (404, "application/problem+json")


class Text(Schema):
    """A body that may be large."""

    text = fields.String(required=True)


def test_large_bodies_are_checked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    app, sent = Flask(__name__), list[int]()
    blueprint = GalleyBlueprint("texts", __name__)

    @blueprint.route("/texts", methods=["POST"])
    @blueprint.arguments(Text)
    @blueprint.response(204)
    def take(body: dict[str, str]) -> None:
        sent.append(len(body["text"]))

    def note(function: Any, *args: Any) -> Any:
        sent.append(-1)
        return function(*args)

    monkeypatch.setattr(api_module, "off_hub", note)
    init_api(app).register_blueprint(blueprint)
    client = app.test_client()

    for text in ("short", "x" * LARGE_BODY_BYTES):
        assert client.post("/texts", json={"text": text}).status_code == 204
    assert client.post("/texts", json={"text": [0] * LARGE_BODY_BYTES}).status_code == 422
    assert sent == [5, -1, LARGE_BODY_BYTES, -1]
