"""A manifest is read strictly, filled with defaults, and checked against itself."""

import msgspec
import pytest

from app.errors import InvalidManifest
from model_store.manifest import (
    DEFAULT_BATCH_SIZE,
    MOST_TENSORS,
    FileEntry,
    Measured,
    Ranking,
    Scoring,
    StateSpec,
    TensorSpec,
    check_manifest,
    decode_draft,
    decode_manifest,
    encode_manifest,
)
from tests.factories.versions import make_manifest

SMALLEST = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1]}],
    "max_batch_size": 4,
}


def decode(**changes: object) -> object:
    return decode_manifest(msgspec.json.encode({**SMALLEST, **changes}))


def test_inputs_outputs_and_batch_size_are_enough() -> None:
    manifest = decode_manifest(msgspec.json.encode(SMALLEST))

    assert (manifest.format, manifest.task, manifest.execution) == ("torchscript", "tensor", "online")
    assert manifest.preprocessing.mode == "RGB"


def test_what_is_written_reads_back() -> None:
    manifest = make_manifest(name="digits", version=3, files={"model.pt": FileEntry(sha256="0" * 64, size_bytes=1)})

    assert decode_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize("field", ["inputs", "outputs"])
def test_a_version_says_what_goes_in_and_out(field: str) -> None:
    rest = {key: value for key, value in SMALLEST.items() if key != field}
    for fields in (rest, {**rest, field: []}):
        with pytest.raises(InvalidManifest, match=f"has no {field}"):
            decode_manifest(msgspec.json.encode(fields))


def test_a_draft_may_say_nothing() -> None:
    draft = decode_draft(b"{}")

    assert (draft.inputs, draft.outputs, draft.max_batch_size) == ([], [], DEFAULT_BATCH_SIZE)


def test_a_drafts_state_waits_for_its_signature() -> None:
    state = {"input": "x", "output": "y", "shape": [1]}

    assert decode_draft(msgspec.json.encode({"state": [state]})).state == [StateSpec(**state)]


def test_a_published_manifest_is_a_draft_without_what_only_galley_says() -> None:
    measured = Measured(load_s=0.1, memory_bytes=1, is_batch_safe=True)
    files = {"model.pt": FileEntry(sha256="0" * 64, size_bytes=1)}
    published = make_manifest(name="digits", measured=measured, created_at="2026-01-01T00:00:00Z", files=files)

    assert decode_draft(encode_manifest(published)) == make_manifest(name="digits", files=files)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_batch_size", 0),
        ("max_batch_size", "many"),
        ("inputs", [{"name": "x", "datatype": "FP8", "shape": [1]}]),
        ("inputs", [{"name": "x", "datatype": "FP32", "shape": [-2]}]),
        ("inputs", [{"name": "x", "datatype": "FP32", "shape": []}]),
        ("task", "telepathy"),
        ("format", "pickle"),
        ("execution", "eager"),
        ("max_batchsize", 4),
        ("files", {"model.pt": {"sha256": "short", "size_bytes": 1}}),
    ],
)
def test_a_wrong_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidManifest, match="cannot be read"):
        decode(**{field: value})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"inputs": 1e999}'])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidManifest):
        decode_manifest(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "../digits"), ("files", {"../../etc/passwd": {"sha256": "0" * 64, "size_bytes": 1}})],
)
def test_path_tricks_are_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidManifest, match=r"\.\./"):
        decode(**{field: value})


def test_two_inputs_of_one_name_are_refused() -> None:
    spec = TensorSpec(name="x", datatype="FP32", shape=[-1])

    with pytest.raises(InvalidManifest, match="Two inputs"):
        check_manifest(make_manifest(inputs=[spec, spec]))


def test_tensors_without_end_are_refused() -> None:
    specs = [TensorSpec(name=f"x{number}", datatype="FP32", shape=[-1]) for number in range(MOST_TENSORS + 1)]

    with pytest.raises(InvalidManifest, match="1001 outputs; 1000 is the limit"):
        check_manifest(make_manifest(outputs=specs))


def test_state_must_name_tensors_of_the_signature() -> None:
    state = [StateSpec(input="image", output="memory", shape=[4])]

    with pytest.raises(InvalidManifest, match="'memory'"):
        check_manifest(make_manifest(state=state))


def test_only_a_model_of_sequences_says_how_it_scores() -> None:
    scoring = Scoring(features=["amount"], review_at=0.5, decline_at=0.9)

    assert check_manifest(make_manifest(task="sequence-scoring", scoring=scoring)).scoring == scoring
    with pytest.raises(InvalidManifest, match="'scoring', which is of the task 'sequence-scoring', not of"):
        check_manifest(make_manifest(scoring=scoring))


def test_only_a_ranking_model_says_what_it_ranks() -> None:
    ranking = Ranking(users="users.npy", items="items.npy", cold_row=0)

    assert check_manifest(make_manifest(task="ranking", ranking=ranking)).ranking == ranking
    with pytest.raises(InvalidManifest, match="not of 'image-classification'"):
        check_manifest(make_manifest(ranking=ranking))


@pytest.mark.parametrize(("first", "is_batched"), [(-1, True), (1, False)])
def test_a_batch_is_a_first_dimension_that_is_free_everywhere(first: int, is_batched: bool) -> None:
    inputs = [
        TensorSpec(name="x", datatype="FP32", shape=[-1, 4]),
        TensorSpec(name="y", datatype="FP32", shape=[first]),
    ]

    assert make_manifest(inputs=inputs).is_batched is is_batched
