"""Failures of /v2 are described as they are answered."""

from typing import Any

from app.errors import InvalidFields, InvalidTensor, QueueFull
from app.web.api import answer_of
from app.web.blueprints.oip.blueprint import v2_answers
from app.web.error_handlers import status_of


def described(*errors: Any) -> dict[str, Any]:
    return v2_answers({str(int(status_of(error))): answer_of(error) for error in errors})


def test_wrong_field_and_bad_tensor_share_one_status() -> None:
    answers = described(InvalidFields, InvalidTensor)

    assert list(answers) == ["400"]
    assert set(answers["400"]["content"]["application/json"]["examples"]) == {"validation_failed", "invalid_tensor"}


def test_form_is_that_of_the_protocol() -> None:
    content = described(QueueFull)["503"]["content"]["application/json"]

    assert content["schema"] == {"$ref": "#/components/schemas/V2Failure"}
    assert content["examples"]["queue_full"] == {"$ref": "#/components/examples/v2_queue_full"}


def test_headers_stay() -> None:
    assert "Retry-After" in described(QueueFull)["503"]["headers"]
