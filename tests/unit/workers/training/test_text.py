"""Tests of the demo model text: what is trained can be published, proven and asked, whole and in pieces."""

from pathlib import Path

import msgspec
import pytest

from app.scenarios.text import TextParameters, TextPiece, encode_piece
from model_store.publisher import VersionDraft, publish
from tests.factories.ratings import write_lines
from tests.factories.texts import cut
from tests.factories.versions import accept, make_store
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.text_classification import TextPipeline
from workers.runner.proof import load_and_prove
from workers.runner.values import joined
from workers.training.text import train_text
from workers.training.text_training import Schedule

TINY = Schedule(buckets=2**12, columns=16, epochs=3)


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_text(tmp_path_factory.mktemp("text"), report=ignore, schedule=TINY)


def stream(model: LoadedModel, pieces: list[bytes]) -> list[bytes]:
    """Return what is answered to each piece of a text."""
    pipeline, state, answers = TextPipeline(model.manifest, Limits()), b"", []
    for number, piece in enumerate(pieces, 1):
        row = pipeline.resume(state, encode_piece(TextPiece(piece, number == len(pieces))), TextParameters())
        outputs = model.forward([joined([part]) for part in row.inputs])
        (state,) = pipeline.states([row], outputs)
        answers += [answer for answer in pipeline.encode([row], outputs) if isinstance(answer, bytes)]
    return answers


def test_what_was_trained_can_be_published_and_answers(trained: VersionDraft, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    folder = store.local_folder(publish(store, trained, prove=accept))
    model, proof = load_and_prove(folder, budget_s=0.5)
    pipeline = TextPipeline(model.manifest, Limits())
    text = b"Hello, I would like a refund for the lamp."
    row = pipeline.prepare(text, TextParameters(top_k=2))
    (answer,) = pipeline.encode([row], model.forward([joined([part]) for part in row.inputs]))

    assert proof.is_batch_safe
    assert isinstance(answer, bytes)
    whole = msgspec.json.decode(answer)
    assert whole["label"] == "refund"
    *_, last = map(msgspec.json.decode, stream(model, cut(text, [3, 20, 30])))
    assert last == {"label": "refund", "score": pytest.approx(whole["score"], abs=1e-5), "final": True}


def test_the_manifest_tells_how_good_it_is_and_what_on(trained: VersionDraft) -> None:
    manifest = trained.manifest
    metrics = manifest.metrics

    for figure in ("accuracy", "macro_f1"):
        assert 0 < metrics[f"most_frequent_{figure}"] < metrics[f"naive_bayes_{figure}"] <= 1
        assert metrics[f"most_frequent_{figure}"] < metrics[figure] <= 1
    assert (metrics["training_texts"], metrics["held_out_texts"]) == (960, 240)
    assert "made-up requests" in manifest.description
    assert [state.input for state in manifest.state] == ["tail", "sums"]
    assert len(manifest.labels) == 12


def test_a_file_of_texts_is_trained_on(tmp_path: Path) -> None:
    lines = [f"{word} number {number},{word}" for word in ("iron", "copper", "zinc") for number in range(20)]
    lines_told: list[str] = []
    path = write_lines(tmp_path / "metals.csv", ["text,category", *lines])
    draft = train_text(tmp_path, report=lines_told.append, csv=path, schedule=TINY)

    assert draft.manifest.labels == ["copper", "iron", "zinc"]
    assert "48 given texts, of 3 labels" in draft.manifest.description
    assert lines_told[0] == f"text: reading {path}"
    assert f"{draft.manifest.metrics['accuracy']:.1%} of held-out texts" in lines_told[-1]
