"""Thresholds, and what they achieve, on payments whose answer is plain."""

import numpy as np

from app.scenarios.fraud_answers import decide
from workers.training.fraud_deciding import NEVER, Deciding, Decisions, Thresholds, threshold

IS_FRAUD = np.array([True, True, False, True, False])
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5])


def test_a_threshold_is_the_lowest_that_is_good_enough() -> None:
    assert threshold(IS_FRAUD, SCORES, 1.0) == 0.8
    assert threshold(IS_FRAUD, SCORES, 0.75) == 0.6


def test_no_score_reaches_a_threshold_where_none_is_good_enough() -> None:
    at = threshold(np.array([False, True]), np.array([1.0, 0.1]), 0.9)

    assert at == NEVER
    assert decide(1.0, review_at=at, decline_at=at) == "approve"


def test_what_a_threshold_singles_out_is_measured() -> None:
    assert Deciding.of(IS_FRAUD, SCORES, 0.7) == Deciding(precision=2 / 3, recall=2 / 3, share=3 / 5)
    assert Deciding.of(IS_FRAUD, SCORES, NEVER) == Deciding(precision=0.0, recall=0.0, share=0.0)


def test_payments_to_decline_are_among_those_to_review() -> None:
    decisions = Decisions.of(Thresholds(review_at=0.6, decline_at=0.85), IS_FRAUD, SCORES)

    assert decisions.metrics() == {
        "review_precision": 3 / 4, "review_recall": 1.0, "review_share": 4 / 5,
        "decline_precision": 1.0, "decline_recall": 1 / 3, "decline_share": 1 / 5,
    }  # fmt: skip


def test_thresholds_are_learned_and_told() -> None:
    thresholds = Thresholds.of(IS_FRAUD, SCORES)
    never = Thresholds(review_at=0.5, decline_at=NEVER)

    assert thresholds == Thresholds(review_at=0.5, decline_at=0.8)
    assert Decisions.of(thresholds, IS_FRAUD, SCORES).told(thresholds) == [
        "review or decline from 0.500000 on: 60.0% are fraud, 100.0% of all fraud, 100.0% of payments",
        "decline from 0.800000 on: 100.0% are fraud, 66.7% of all fraud, 40.0% of payments",
    ]
    assert "decline nowhere" in Decisions.of(never, IS_FRAUD, SCORES).told(never)[1]
