"""What became of rows, as answers say it."""

import json

import pytest

from app.errors import ModelFailed
from app.scenarios.outcomes import error_members, only_answer, write_answered_by

FAILED = ModelFailed("The model answered scores that are not numbers.")


@pytest.mark.parametrize("answer", [b"{}", memoryview(b"{}")])
def test_the_only_answer_is_handed_on_as_it_is(answer: bytes | memoryview) -> None:
    assert only_answer([answer]) is answer


def test_the_only_error_is_raised() -> None:
    with pytest.raises(ModelFailed, match="not numbers"):
        only_answer([FAILED])


def test_an_error_among_answers_is_its_code_and_its_sentence() -> None:
    assert error_members(FAILED) == {"code": "model_failed", "detail": FAILED.detail}


@pytest.mark.parametrize("variant", ["candidate", None])
def test_what_answered_is_named(variant: str | None) -> None:
    named = json.loads(write_answered_by("recommender", 3, variant))

    assert named == {"name": "recommender", "version": 3, "variant": variant}
