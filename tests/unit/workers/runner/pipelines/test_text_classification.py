"""The text pipeline: a text that comes in pieces is what it is as a whole, wherever it is split."""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidFields, InvalidManifest, ModelFailed
from app.inference.messages import Form, SequenceCall
from app.scenarios.text import MAX_TEXT_BYTES, TextParameters, TextPiece, encode_piece
from tests.factories.sequences import answers_of
from tests.factories.tensors import spec
from tests.factories.texts import LABELS, TextDesk, cut, text_manifest
from tests.fakes.sequences import FakeSequenceStore
from workers.runner.batch import BatchRunner
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.registry import make_pipelines
from workers.runner.pipelines.text_classification import TextPipeline
from workers.runner.sequences import SequenceRunner
from workers.runner.values import Strings

DESK = TextDesk()
TEXTS = st.text(
    st.one_of(st.sampled_from("aA zZ.,\t\n09äÄß€🚣\0"), st.characters(exclude_categories=["Cs"])), max_size=80
)
PLAIN = {"inputs": [spec("texts", "BYTES", [-1])], "outputs": [spec("scores", "FP32", [-1, 4])], "state": []}


def assert_same_prediction(streamed: dict[str, Any], whole: dict[str, Any]) -> None:
    assert streamed["final"] is True
    assert streamed["label"] == whole["label"]
    assert streamed["score"] == pytest.approx(whole["score"], abs=1e-5)


def _event(number: int, pieces: list[bytes]) -> tuple[bytes, SequenceCall]:
    """Return the next piece of a text, taken from those that wait."""
    piece = pieces.pop(0)
    return encode_piece(TextPiece(piece, is_last=not pieces)), SequenceCall(key=f"text {number}", keep_s=100)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(TEXTS, st.sets(st.integers(0, 200), max_size=12))
def test_a_text_in_pieces_is_what_it_is_as_a_whole(text: str, places: set[int]) -> None:
    data = text.encode()

    assert_same_prediction(DESK.stream(cut(data, places)), DESK.read(data)[0])


def test_split_at_every_byte_even_inside_characters() -> None:
    data = "Grüße, 世界! Żółć   🚣‍♀️ ...".encode()

    assert_same_prediction(DESK.stream(bytes([byte]) for byte in data), DESK.read(data)[0])


def test_the_last_piece_may_hold_text() -> None:
    _, (state,) = DESK.go_on([b""], [TextPiece(b"where is my par")])
    (answer,), _ = DESK.go_on([state], [TextPiece(b"cel?", is_last=True)])

    assert_same_prediction(answer, DESK.read(b"where is my parcel?")[0])


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\0", b"?!"])
def test_texts_without_a_word_are_all_the_same(data: bytes) -> None:
    assert DESK.read(data) == DESK.read(b"")
    assert_same_prediction(DESK.stream([data]), DESK.read(b"")[0])


def test_a_long_text_is_read_in_pieces_and_as_a_whole() -> None:
    random = Random(5)
    data = "".join(random.choices("abc dé🚣 ", k=100_000)).encode()
    places = random.sample(range(len(data)), 50)

    assert_same_prediction(DESK.stream(cut(data, places)), DESK.read(data)[0])


def test_the_state_has_one_size_until_the_text_is_complete() -> None:
    _, states = DESK.go_on([b""] * 3, [TextPiece(b""), TextPiece(b"word word word"), TextPiece(b"word", is_last=True)])

    assert [len(state) for state in states] == [3 + 8 * 7, 3 + 8 * 7, 0]


def test_each_row_of_a_batch_goes_on_with_its_own_text() -> None:
    texts = [b"alpha beta", b"gamma delta eps", b"", b"zeta"]
    _, states = DESK.go_on([b""] * 4, [TextPiece(text) for text in texts])
    answers, _ = DESK.go_on(states, [TextPiece(b" eta", is_last=True)] * 4)

    for answer, text in zip(answers, texts, strict=True):
        assert_same_prediction(answer, DESK.read(text + b" eta")[0])


def test_texts_that_come_at_once_meet_in_batches_and_stay_apart() -> None:
    random = Random(11)
    texts = ["".join(random.choices("abc é🚣 ", k=random.randrange(400))).encode() for _ in range(20)]
    runner = SequenceRunner(BatchRunner(DESK.model, {Form.SCENARIO: DESK.pipeline}), FakeSequenceStore())
    waiting = {number: [*cut(text, random.choices(range(400), k=6)), b""] for number, text in enumerate(texts)}
    last: dict[int, dict[str, Any]] = {}
    while waiting:
        numbers = random.sample(sorted(waiting), random.randint(1, len(waiting)))
        answers = answers_of(runner, [_event(number, waiting[number]) for number in numbers])
        last |= {number: json.loads(answer) for number, answer in zip(numbers, answers, strict=True)}
        waiting = {number: pieces for number, pieces in waiting.items() if pieces}

    for number, text in enumerate(texts):
        assert_same_prediction(last[number], DESK.read(text)[0])


def test_predictions_follow_the_text() -> None:
    (first,), (state,) = DESK.go_on([b""], [TextPiece(b"the chair ")])
    (second,), _ = DESK.go_on([state], [TextPiece(b"came with a scratch")])

    assert first["final"] is second["final"] is False
    assert first["score"] == pytest.approx(DESK.read(b"the chair")[0]["score"], abs=1e-5)
    assert second != first


def test_a_whole_text_is_told_all_labels_it_asked_for() -> None:
    (answer,) = DESK.read(b"where is my parcel?", top_k=3)
    (everything,) = DESK.read(b"where is my parcel?", top_k=1000)

    assert list(answer) == ["label", "score", "labels"]
    assert answer["labels"] == everything["labels"][:3]
    assert answer["labels"][0] == {"index": LABELS.index(answer["label"]), **{k: answer[k] for k in ("label", "score")}}
    assert sum(each["score"] for each in everything["labels"]) == pytest.approx(1)


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
def test_naughty_strings_are_read_in_pieces_and_as_a_whole() -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "text-naughty-strings"
    random = Random(3)
    strings: list[str] = json.loads((folder / "blns.json").read_text())

    assert len(strings) > 500
    for data in (string.encode() for string in strings):
        assert_same_prediction(DESK.stream(cut(data, random.choices(range(99), k=3))), DESK.read(data)[0])


def test_what_is_no_utf_8_is_refused_as_a_whole_text() -> None:
    with pytest.raises(InvalidFields) as caught:
        DESK.read(b"abc\xff")

    assert caught.value.errors == {"text": ["It is no UTF-8 at byte 3."]}


@pytest.mark.parametrize("data", [b"", b"plain words", encode_piece(("a string", False)), encode_piece([b"x", 1])])
def test_what_is_no_piece_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidFields, match="row"):
        DESK.pipeline.resume(b"", data, TextParameters())


def test_texts_and_pieces_have_a_limit() -> None:
    data = b"x" * (MAX_TEXT_BYTES + 1)
    with pytest.raises(InvalidFields) as whole:
        DESK.read(data)
    with pytest.raises(InvalidFields) as piece:
        DESK.go_on([b""], [TextPiece(data)])

    assert whole.value.errors == piece.value.errors == {"text": ["It has 262145 bytes; 262144 is the limit."]}


def test_another_models_state_is_refused() -> None:
    with pytest.raises(ModelFailed, match="has 4 bytes"):
        DESK.go_on([b"abcd"], [TextPiece(b"x")])


def test_scores_that_are_no_numbers_fail_their_row_alone() -> None:
    rows = [DESK.pipeline.prepare(b"x", TextParameters())] * 2
    scores = torch.tensor([[0.0, float("nan"), 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    bad, good = DESK.pipeline.encode(rows, [scores])

    assert isinstance(bad, ModelFailed)
    assert isinstance(good, bytes)


def test_a_model_of_texts_reads_whole_ones_only() -> None:
    pipeline = TextPipeline(text_manifest(**PLAIN), Limits())
    row = pipeline.prepare("Grüße".encode(), TextParameters())

    assert row.inputs == (Strings(["Grüße"], (1,)),)
    assert pipeline.states([row], []) == [b""]
    (answer,) = pipeline.encode([row], [torch.tensor([[0.0, 9.0, 0.0, 0.0]])])
    assert isinstance(answer, bytes)
    assert msgspec.json.decode(answer)["label"] == "complaint"
    with pytest.raises(ModelFailed, match="declares no state"):
        pipeline.resume(b"", encode_piece(TextPiece(b"x")), TextParameters())


@pytest.mark.parametrize(
    ("changes", "forms"),
    [
        ({}, {"scenario", "tensors"}),
        (PLAIN, {"scenario", "tensors"}),
        ({**PLAIN, "inputs": [spec("tokens", "INT32", [-1, -1])]}, {"tensors"}),
        ({**PLAIN, "inputs": [spec("texts", "BYTES", [-1]), spec("other", "FP32", [-1])]}, {"tensors"}),
    ],
)
def test_models_that_take_something_else_are_asked_for_tensors(changes: dict[str, Any], forms: set[str]) -> None:
    assert set(make_pipelines(text_manifest(**changes), Limits())) == forms


@pytest.mark.parametrize("tokens", [spec("tokens", "UINT8", [-1, -1]), spec("tokens", "INT16", [-1, 64])])
def test_tokens_hold_every_byte_and_have_any_length(tokens: Any) -> None:
    with pytest.raises(InvalidManifest, match="byte tokens"):
        TextPipeline(text_manifest(inputs=[tokens, *text_manifest().inputs[1:]]), Limits())


def test_the_rehearsal_is_a_text() -> None:
    rehearsal = DESK.pipeline.rehearsal()

    assert DESK.read(rehearsal.data)[0]["label"] in LABELS
    assert DESK.pipeline.is_quick(rehearsal.data, TextParameters())
