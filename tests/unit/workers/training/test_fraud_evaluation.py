"""The measures of a fraud score, on payments whose answer is plain."""

import numpy as np
import pytest

from tests.factories.transactions import payments_of
from workers.training.fraud_evaluation import STATELESS, Comparison, Quality, card_precision, stateless_scores
from workers.training.fraud_features import COLUMNS

PAYMENTS = payments_of(
    (0.1, "a", "m", 1.0, True), (0.2, "a", "m", 1.0, False), (0.3, "b", "m", 1.0, False), (0.4, "c", "m", 1.0, True),
    (1.1, "a", "m", 1.0, False), (1.2, "b", "m", 1.0, False),
)  # fmt: skip


def test_cards_count_once_a_day_by_their_highest_score() -> None:
    scores = np.array([0.1, 0.9, 0.8, 0.2, 0.3, 0.4])

    # On the first day a and b come first, and a had a fraud; on the second nobody had.
    assert card_precision(PAYMENTS, scores, 2) == pytest.approx((1 / 2 + 0) / 2)
    # A day with fewer cards is as far from perfect as the handbook has it.
    assert card_precision(PAYMENTS, scores, 100) == pytest.approx((2 / 100 + 0) / 2)


def test_a_card_that_was_found_is_of_no_later_day() -> None:
    days = payments_of(
        (0.1, "a", "m", 1.0, True), (0.2, "b", "m", 1.0, True),
        (1.1, "a", "m", 1.0, True), (1.2, "b", "m", 1.0, True), (1.3, "c", "m", 1.0, False),
    )  # fmt: skip

    assert card_precision(days, np.array([0.9, 0.8, 0.9, 0.8, 0.7]), 1) == 1.0
    assert card_precision(days, np.array([0.9, 0.8, 0.9, 0.6, 0.7]), 1) == 0.5


def test_both_scores_are_measured_beside_the_best_possible() -> None:
    right, wrong = PAYMENTS.is_fraud.astype(np.float64), -PAYMENTS.is_fraud.astype(np.float64)

    metrics = Comparison.of(PAYMENTS, wrong, right).metrics()

    assert (metrics["auc_roc"], metrics["stateless_auc_roc"]) == (0.0, 1.0)
    assert metrics["best_card_precision_at_100"] == pytest.approx(0.01)


def test_a_perfect_score_has_perfect_measures() -> None:
    quality = Quality.of(PAYMENTS, PAYMENTS.is_fraud.astype(np.float64))

    assert (quality.auc_roc, quality.average_precision) == (1.0, 1.0)
    assert Quality.of(PAYMENTS, -PAYMENTS.is_fraud.astype(np.float64)).auc_roc == 0.0


def test_the_baseline_sees_no_past() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, len(COLUMNS))).astype(np.float32)
    is_fraud = features[:, COLUMNS.index("amount")] > 1
    scores = stateless_scores(features, is_fraud, slice(0, 300), slice(300, 400))
    hidden = features.copy()
    hidden[:, [at for at, name in enumerate(COLUMNS) if name not in STATELESS]] = 7.0

    assert scores[is_fraud[300:]].min() > scores[~is_fraud[300:]].max() - 1
    np.testing.assert_array_equal(stateless_scores(hidden, is_fraud, slice(0, 300), slice(300, 400)), scores)
