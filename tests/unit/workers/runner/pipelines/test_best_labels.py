"""The best labels of each row of a batch."""

from typing import Any

import pytest
import torch

from app.errors import ModelFailed
from app.scenarios.images import LabelScore
from model_store.manifest import Postprocessing
from tests.factories.versions import make_manifest
from workers.runner.pipelines.best_labels import BestLabels

OUTPUT = torch.tensor([[0.0, 2.0, 1.0], [5.0, 3.0, 4.0]])


def best(**changes: Any) -> BestLabels:
    """Return what names red, green and blue by the scores as they are."""
    return BestLabels(make_manifest(postprocessing=Postprocessing(activation="none"), **changes))


def test_each_row_gets_as_many_as_it_wants() -> None:
    found = best().find(OUTPUT, [1, 1000])

    assert found == [
        [LabelScore(1, "green", 2.0)],
        [LabelScore(0, "red", 5.0), LabelScore(2, "blue", 4.0), LabelScore(1, "green", 3.0)],
    ]


def test_a_class_without_a_name_is_called_by_its_index() -> None:
    (labels, _) = best(labels=["red"]).find(OUTPUT, [2, 2])

    assert labels == [LabelScore(1, "1", 2.0), LabelScore(2, "2", 1.0)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_fails_its_row_alone(value: float) -> None:
    bad, good = best().find(torch.tensor([[0.0, value, 1.0], [0.0, 1.0, 2.0]]), [1, 1])

    assert isinstance(bad, ModelFailed)
    assert good == [LabelScore(2, "blue", 2.0)]


def test_scores_are_activated() -> None:
    (labels,) = BestLabels(make_manifest()).find(OUTPUT[:1], [3])

    assert not isinstance(labels, ModelFailed)
    assert sum(label.score for label in labels) == pytest.approx(1)
