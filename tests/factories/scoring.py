"""A tiny scripted model that scores payments, whose answers a test can work out by hand."""

from typing import Any

import torch
from torch import Tensor, nn

from app.scenarios.fraud_features import MERCHANT_RISK
from app.scenarios.fraud_risk import MerchantRisk, encode_risk
from model_store.manifest import FileEntry, Manifest, Scoring, StateSpec
from tests.factories.tensors import spec

FEATURES = [MERCHANT_RISK, "amount", "count_1h"]
RISK = MerchantRisk(usual=0.125, merchants={"bad": 0.75})
RISK_FILE = encode_risk(RISK)


class CountingModel(nn.Module):
    """Scores by merchant risk; remembers how many events it saw, and the amounts it saw before the last."""

    def forward(self, event: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        remembered = torch.stack([seen[:, 0] + 1.0, seen[:, 0] * 0.0 + event[:, 1]], dim=1)
        return remembered, event[:, 0], torch.stack([event[:, 1], seen[:, 0]], dim=1)


def scoring_manifest(*, sha256: str = "ab" * 32, scoring: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    """Return the manifest of `CountingModel`, changed."""
    section = {
        "features": FEATURES,
        "reasons": ["amount", "often"],
        "merchant_risk": "risk.json",
        "review_at": 0.5,
        "decline_at": 0.75,
        **(scoring or {}),
    }
    fields: dict[str, Any] = {
        "task": "sequence-scoring",
        "inputs": [spec("event", "FP32", [-1, len(FEATURES)]), spec("seen", "FP32", [-1, 2])],
        "outputs": [
            spec("seen_after", "FP32", [-1, 2]),
            spec("score", "FP32", [-1]),
            spec("effects", "FP32", [-1, 2]),
        ],
        "state": [StateSpec(input="seen", output="seen_after", shape=[2])],
        "scoring": Scoring(**section),
        "files": {"model.pt": FileEntry(sha256=sha256, size_bytes=1)},
    }
    return Manifest(**{**fields, **changes})
