"""From which score on to review a payment, and to decline it: learned from some payments, measured on later ones."""

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
from sklearn.metrics import precision_recall_curve

from workers.training.fraud_payments import Flags, Numbers

# What shares of fraud are looked for among payments to review, and to decline.
REVIEW_PRECISION = 0.25
DECLINE_PRECISION = 0.9
# No score is above 1, and JSON has no infinity.
NEVER = 2.0


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """What comes of singling out the payments from a score on, those to decline among those to review."""

    precision: float
    """Which share of them is fraud; 0 where there are none."""
    recall: float
    """Which share of all fraud is among them."""
    share: float
    """Which share of all payments they are."""

    @classmethod
    def of(cls, is_fraud: Flags, scores: Numbers, at: float) -> Self:
        """Measure a threshold on payments, at least one of which is fraud."""
        singled_out = is_fraud[scores >= at]
        caught = int(singled_out.sum())
        return cls(
            precision=caught / max(len(singled_out), 1),
            recall=caught / int(is_fraud.sum()),
            share=len(singled_out) / len(is_fraud),
        )

    def told(self) -> str:
        """Return the shares in words."""
        return f"{self.precision:.1%} are fraud, {self.recall:.1%} of all fraud, {self.share:.1%} of payments"


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The scores from which on payments are reviewed and declined; `NEVER` where none is good enough."""

    review_at: float
    decline_at: float

    @classmethod
    def of(cls, is_fraud: Flags, scores: Numbers) -> Self:
        """Learn them; scores have to be rounded as they are served, or those on a threshold may miss it."""
        return cls(
            review_at=threshold(is_fraud, scores, REVIEW_PRECISION),
            decline_at=threshold(is_fraud, scores, DECLINE_PRECISION),
        )


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What the thresholds achieve."""

    review: Deciding
    decline: Deciding

    @classmethod
    def of(cls, thresholds: Thresholds, is_fraud: Flags, scores: Numbers) -> Self:
        """Measure both."""
        return cls(
            review=Deciding.of(is_fraud, scores, thresholds.review_at),
            decline=Deciding.of(is_fraud, scores, thresholds.decline_at),
        )

    def metrics(self) -> dict[str, float]:
        """Return the measures as the manifest names them, such as `decline_precision`."""
        return {
            f"{decision}_{name}": value for decision, shares in asdict(self).items() for name, value in shares.items()
        }

    def told(self, thresholds: Thresholds) -> list[str]:
        """Return a line for each threshold."""
        return [
            f"review or decline {_where(thresholds.review_at)}: {self.review.told()}",
            f"decline {_where(thresholds.decline_at)}: {self.decline.told()}",
        ]


def threshold(is_fraud: Flags, scores: Numbers, precision: float) -> float:
    """Return the lowest score from which on so large a share is fraud; `NEVER` where there is none."""
    precisions, _, thresholds = precision_recall_curve(is_fraud, scores)
    good = np.flatnonzero(precisions[:-1] >= precision)
    return float(thresholds[good[0]]) if len(good) else NEVER


def _where(at: float) -> str:
    return "nowhere" if at == NEVER else f"from {at:.6f} on"
