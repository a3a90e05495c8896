"""Answers of classifications of texts, put together from the runner's rows."""

import json

import pytest

from app.errors import InvalidFields, ModelFailed
from app.scenarios.outcomes import write_answered_by
from app.scenarios.text_answers import write_answer

ANSWERED_BY = write_answered_by("text", 3, None)
ROW = b'{"label":"refund","score":0.5,"labels":[]}'


def test_results_are_in_the_order_of_the_texts() -> None:
    answer = json.loads(write_answer([ROW, memoryview(ROW.replace(b"refund", b"order"))], ANSWERED_BY))

    assert [result["label"] for result in answer["results"]] == ["refund", "order"]
    assert answer["model"] == {"name": "text", "version": 3, "variant": None}


def test_a_bad_text_among_others_fails_alone() -> None:
    answer = json.loads(write_answer([ModelFailed("No."), ROW], ANSWERED_BY))

    assert answer["results"] == [{"error": {"code": "model_failed", "detail": "No."}}, json.loads(ROW)]


def test_a_bad_text_alone_is_the_requests_failure() -> None:
    with pytest.raises(InvalidFields):
        write_answer([InvalidFields({"text": ["No."]})], ANSWERED_BY)
