"""Tests of the demo model fraud: what is trained can be published, proven and asked, and beats what sees no past."""

from pathlib import Path

import msgspec
import pytest
import torch

from app.errors import InputError
from app.scenarios.fraud_events import encode_event
from app.scenarios.fraud_risk import decode_risk
from app.scenarios.fraud_state import MAX_STATE_BYTES
from model_store.publisher import VersionDraft, publish
from tests.factories.payments import Habits, payments
from tests.factories.transactions import TINY_WORLD, payments_of, write_transactions
from tests.factories.versions import accept, make_store
from workers.runner.assets import Assets
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.sequence_scoring import SequenceScoringPipeline
from workers.runner.proof import load_and_prove
from workers.runner.values import joined
from workers.training.fraud import RISK_FILE, train_fraud
from workers.training.fraud_simulation import simulate
from workers.training.fraud_training import Schedule

QUICK = Schedule(epochs=2, accounts=16)


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_fraud(tmp_path_factory.mktemp("fraud"), report=ignore, world=TINY_WORLD, schedule=QUICK)


def test_what_was_trained_can_be_published_and_answers(trained: VersionDraft, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    folder = store.local_folder(publish(store, trained, prove=accept))
    model, proof = load_and_prove(folder, budget_s=0.5)
    pipeline = SequenceScoringPipeline(model.manifest, Limits(), Assets.of(folder, model.manifest))
    state = b""
    for event in payments(30, Habits(3000.0)):
        row = pipeline.resume(state, encode_event(event), None)
        outputs = model.forward([joined([part]) for part in row.inputs])
        (answer,), (state,) = pipeline.encode([row], outputs), pipeline.states([row], outputs)
        assert isinstance(answer, bytes)
        read = msgspec.json.decode(answer)
        assert 0 <= read["score"] <= 1
        assert read["decision"] in ("approve", "review", "decline")

    assert proof.is_batch_safe
    assert len(state) <= MAX_STATE_BYTES


def test_the_manifest_tells_how_good_it_is(trained: VersionDraft) -> None:
    metrics, scoring = trained.manifest.metrics, trained.manifest.scoring

    for name in ("auc_roc", "average_precision", "card_precision_at_100"):
        assert 0 < metrics[name] <= 1
        assert 0 < metrics[f"stateless_{name}"] <= 1
    assert metrics["test_payments"] > metrics["test_frauds"] > 0
    assert scoring is not None
    assert 0 < scoring.review_at <= scoring.decline_at
    assert {f"{what}_{share}" for what in ("review", "decline") for share in ("precision", "recall")} <= set(metrics)
    assert metrics["decline_share"] <= metrics["review_share"] < 1
    assert metrics["card_precision_at_100"] <= metrics["best_card_precision_at_100"]
    assert "simulated payments of 60 accounts" in trained.manifest.description
    assert len(decode_risk(trained.assets[RISK_FILE].read_bytes()).merchants) > 50


def test_training_again_is_the_same_and_leaves_torch_as_it_was(trained: VersionDraft, tmp_path: Path) -> None:
    lines: list[str] = []
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    again = train_fraud(tmp_path, report=lines.append, world=TINY_WORLD, schedule=QUICK)

    assert again.samples == trained.samples
    assert again.manifest == trained.manifest
    assert "average precision" in lines[-4]
    assert lines[-1].startswith("fraud: decline ")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random_state)


def test_a_file_is_trained_on_with_its_own_ids(tmp_path: Path) -> None:
    path = write_transactions(tmp_path / "mine.csv", simulate(TINY_WORLD, seed=0))
    draft = train_fraud(tmp_path, report=ignore, transactions=path, schedule=QUICK)

    assert "given payments of 60 accounts" in draft.manifest.description


def test_too_few_payments_are_refused(tmp_path: Path) -> None:
    path = write_transactions(tmp_path / "mine.csv", payments_of((0, "a", "m", 1.0, True)))

    with pytest.raises(InputError, match="at least 28 are needed"):
        train_fraud(tmp_path, report=ignore, transactions=path)


@pytest.mark.long
def test_it_beats_what_sees_no_past(tmp_path: Path) -> None:
    metrics = train_fraud(tmp_path, report=ignore).manifest.metrics

    assert metrics["average_precision"] > 1.5 * metrics["stateless_average_precision"]
    assert metrics["auc_roc"] > metrics["stateless_auc_roc"]
    assert metrics["card_precision_at_100"] > metrics["stateless_card_precision_at_100"]
