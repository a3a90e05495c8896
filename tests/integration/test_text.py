"""The text classifier learns from what customers of a bank really ask, and streams it."""

import csv
import os
from pathlib import Path

import pytest

from model_store.publisher import VersionDraft, publish
from tests.factories.versions import accept, make_store
from workers.runner.proof import load_and_prove
from workers.training.text import train_text

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs_data,
    pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data"),
]


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def questions() -> Path:
    return Path(os.environ["GALLEY_DATA"]) / "text-banking77"


@pytest.fixture(scope="module")
def trained(questions: Path, tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_text(tmp_path_factory.mktemp("text"), report=ignore, csv=questions)


def test_questions_of_the_test_file_are_understood(trained: VersionDraft, questions: Path) -> None:
    metrics = trained.manifest.metrics
    with (questions / "test.csv").open(newline="") as file:
        assert metrics["held_out_texts"] == sum(1 for _ in csv.DictReader(file))

    assert metrics["accuracy"] >= 0.85
    assert metrics["macro_f1"] >= 0.85
    assert metrics["accuracy"] > metrics["naive_bayes_accuracy"] > metrics["most_frequent_accuracy"]


def test_it_is_proven(trained: VersionDraft, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    _, proof = load_and_prove(store.local_folder(publish(store, trained, prove=accept)))

    assert proof.is_batch_safe
    assert len(trained.manifest.labels) == 77
