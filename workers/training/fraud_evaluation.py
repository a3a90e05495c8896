"""How good a fraud score is, on payments that came after those it was learned from, as labels come in time for it.

The measures of the Fraud Detection Handbook, chapter 4:

- AUC-ROC: how often a fraud scores above another payment.
- Average precision: the mean share of fraud among those that score as high as each fraud, or higher.
- Card precision@100: of a hundred cards a day, those that score highest by one of their payments, how many have a fraud
  that day; the mean over the days. A card that was found so is blocked, and of no later day. Days count from midnight
  UTC. The best possible is that of a score that knows the frauds.

The handbook takes cards out of the test that labels had told of by then; here they stay in.
"""

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from workers.training.fraud_features import COLUMNS, Matrix
from workers.training.fraud_payments import DAY_MS, Flags, Integers, Numbers, Payments

CARDS = 100
# What is known of a payment without its account's past.
STATELESS = ("amount", "hour_sin", "hour_cos", "is_weekend", "is_online", "is_pos", "is_atm", "merchant_risk")


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The measures of one score."""

    auc_roc: float
    average_precision: float
    card_precision_at_100: float

    @classmethod
    def of(cls, payments: Payments, scores: Numbers) -> Self:
        """Measure scores of payments."""
        return cls(
            auc_roc=float(roc_auc_score(payments.is_fraud, scores)),
            average_precision=float(average_precision_score(payments.is_fraud, scores)),
            card_precision_at_100=card_precision(payments, scores, CARDS),
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A score beside that of a payment alone, and what is possible."""

    quality: Quality
    stateless: Quality
    best_card_precision_at_100: float

    @classmethod
    def of(cls, payments: Payments, scores: Numbers, stateless: Numbers) -> Self:
        """Measure both scores of payments, and one that knows the frauds."""
        return cls(
            quality=Quality.of(payments, scores),
            stateless=Quality.of(payments, stateless),
            best_card_precision_at_100=card_precision(payments, payments.is_fraud.astype(np.float64), CARDS),
        )

    def metrics(self) -> dict[str, float]:
        """Return the measures as the manifest names them."""
        return {
            **asdict(self.quality),
            **{f"stateless_{name}": value for name, value in asdict(self.stateless).items()},
            "best_card_precision_at_100": self.best_card_precision_at_100,
        }

    def told(self) -> list[str]:
        """Return the measures in words."""
        quality, stateless = self.quality, self.stateless
        return [
            f"average precision {quality.average_precision:.3f}, AUC-ROC {quality.auc_roc:.3f} on later payments; "
            f"without the accounts' past {stateless.average_precision:.3f}, {stateless.auc_roc:.3f}",
            f"card precision@{CARDS} {quality.card_precision_at_100:.3f}; without the accounts' past "
            f"{stateless.card_precision_at_100:.3f}, at best {self.best_card_precision_at_100:.3f}",
        ]


def card_precision(payments: Payments, scores: Numbers, cards: int) -> float:
    """Return how many of so many cards a day that score highest have a fraud, as a share; the mean over the days."""
    days = payments.times_ms // DAY_MS
    is_blocked = np.zeros(len(payments.account_ids), np.bool_)
    precisions = []
    for day in np.unique(days):
        found = _found(payments, scores, (days == day) & ~is_blocked[payments.accounts], cards)
        is_blocked[found] = True
        precisions.append(len(found) / cards)
    return float(np.mean(precisions))


def stateless_scores(features: Matrix, is_fraud: Flags, training: slice, test: slice) -> Numbers:
    """Return the scores of a logistic regression that sees each payment alone; `features` are scaled."""
    columns = [COLUMNS.index(name) for name in STATELESS]
    regression = LogisticRegression(max_iter=1000).fit(features[training][:, columns], is_fraud[training])
    scores: Numbers = regression.decision_function(features[test][:, columns])
    return scores


def _found(payments: Payments, scores: Numbers, rows: Flags, cards: int) -> Integers:
    """Return which of the cards that score highest among these payments have a fraud among them."""
    accounts, places = np.unique(payments.accounts[rows], return_inverse=True)
    highest = np.full(len(accounts), -np.inf)
    np.maximum.at(highest, places, scores[rows])
    has_fraud = np.zeros(len(accounts), np.bool_)
    np.logical_or.at(has_fraud, places, payments.is_fraud[rows])
    chosen = np.argsort(-highest, kind="stable")[:cards]
    found: Integers = accounts[chosen[has_fraud[chosen]]]
    return found
