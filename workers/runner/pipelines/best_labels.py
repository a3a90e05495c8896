"""From a classifier's outputs to its best labels with their scores."""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from app.errors import ModelFailed
from app.scenarios.images import LabelScore
from model_store.manifest import Manifest

_ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "softmax": lambda logits: torch.softmax(logits, dim=1),
    "sigmoid": lambda logits: logits.sigmoid(),
    "none": lambda scores: scores,
}


class BestLabels:
    """Names a model's classes, and finds the best of each row."""

    def __init__(self, manifest: Manifest) -> None:
        self._names = manifest.labels
        self._activate = _ACTIVATIONS[manifest.postprocessing.activation]

    def find(self, output: Tensor, counts: Sequence[int]) -> list[list[LabelScore] | ModelFailed]:
        """Return as many labels of each row as are wanted, scores falling; a row whose scores are no numbers failed."""
        scores = self._activate(output.float())
        best = torch.topk(scores, min(max(counts), scores.shape[1]), dim=1)
        return [
            self._labels(values[:count], indices)
            for count, values, indices in zip(counts, best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    def _labels(self, values: Sequence[float], indices: Sequence[int]) -> list[LabelScore] | ModelFailed:
        # topk puts NaN first, so the first value tells.
        if values[0] != values[0] or abs(values[0]) == float("inf"):
            return ModelFailed("The model answered scores that are not numbers.")

        return [LabelScore(index, self._name(index), value) for value, index in zip(values, indices, strict=False)]

    def _name(self, index: int) -> str:
        return self._names[index] if index < len(self._names) else str(index)
