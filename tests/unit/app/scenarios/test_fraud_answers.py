"""Answers about payments: decisions, reasons, and the JSON that a caller gets."""

import json

import pytest

from app.scenarios.fraud_answers import FraudScore, Reason, answer_of, decide, encode_score, strongest, write_answer
from app.scenarios.outcomes import write_answered_by


@pytest.mark.parametrize(
    ("score", "decision"),
    [(0.0, "approve"), (0.199, "approve"), (0.2, "review"), (0.799, "review"), (0.8, "decline"), (1.0, "decline")],
)
def test_thresholds_decide(score: float, decision: str) -> None:
    assert decide(score, review_at=0.2, decline_at=0.8) == decision


def test_reasons_are_what_moved_a_score_up_most() -> None:
    reasons = strongest(["a", "b", "c", "d", "e"], [0.3, -2.0, 4.56789, 0.3, 1.0])

    assert reasons == [Reason("c", 4.568), Reason("e", 1.0), Reason("a", 0.3)]
    assert strongest(["a"], [0.2]) == []


def test_an_answer_names_event_and_model() -> None:
    said = encode_score(FraudScore(0.25, "review", [Reason("amount", 1.5)]))
    answer = write_answer('e"1', memoryview(said), write_answered_by("fraud", 3, None))

    assert json.loads(answer) == {
        "event_id": 'e"1',
        "score": 0.25,
        "decision": "review",
        "reasons": [{"feature": "amount", "effect": 1.5}],
        "model": {"name": "fraud", "version": 3, "variant": None},
    }


@pytest.mark.parametrize("feature", ["amount", ',"version":7', '"version":7}'])
def test_an_answer_kept_of_another_version_names_that(feature: str) -> None:
    said = encode_score(FraudScore(0.25, "review", [Reason(feature, 1.5)]))
    answered_by = write_answered_by("fraud", 3, "canary")
    kept = json.loads(write_answer("e", answer_of(2, said), answered_by))
    own = json.loads(write_answer("e", said, answered_by))

    assert kept.pop("model") == {"name": "fraud", "version": 2, "variant": None}
    assert own.pop("model") == {"name": "fraud", "version": 3, "variant": "canary"}
    assert kept == own
    assert kept["reasons"] == [{"feature": feature, "effect": 1.5}]
