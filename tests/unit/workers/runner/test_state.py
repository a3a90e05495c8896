"""A sequence's state as bytes: what a model gave comes back to it, whatever it is made of."""

from typing import Any

import pytest
import torch

from app.errors import InvalidManifest, ModelFailed
from model_store.manifest import Datatype, Manifest, StateSpec
from tests.factories.models import tensor
from tests.factories.tensors import spec
from workers.runner.loaded_model import TORCH_DTYPES
from workers.runner.state import MAX_STATE_BYTES, StateLayout
from workers.runner.values import joined

SCORES = spec("scores", "FP32", [-1, 3])


def make_layout(*pieces: tuple[Datatype, list[int], float]) -> StateLayout:
    """Return the layout of a model with such state; its outputs are in the reverse order of its inputs."""
    numbered = list(enumerate(pieces))
    return StateLayout(
        Manifest(
            task="sequence-scoring",
            inputs=[
                spec("event", "FP32", [-1, 2]),
                *(spec(f"s{i}", kind, [-1, *shape]) for i, (kind, shape, _) in numbered),
            ],
            outputs=[*(spec(f"t{i}", kind, [-1, *shape]) for i, (kind, shape, _) in reversed(numbered)), SCORES],
            state=[
                StateSpec(input=f"s{i}", output=f"t{i}", shape=shape, init=init) for i, (_, shape, init) in numbered
            ],
        )
    )


def random_rows(datatype: str, shape: list[int], rows: int) -> torch.Tensor:
    """Return values that differ from row to row; not laid out row by row, as a model may well give them."""
    numbers: Any = torch.randint(0, 100, [*reversed(shape), rows], generator=torch.Generator().manual_seed(7))
    return numbers.permute(*reversed(range(numbers.dim()))).to(TORCH_DTYPES[datatype])


@pytest.mark.parametrize("datatype", list(TORCH_DTYPES))
def test_what_a_model_gave_comes_back(datatype: Datatype) -> None:
    layout = make_layout((datatype, [3, 2], 0), ("UINT8", [5], 0), ("INT64", [], 0))
    pieces = [random_rows(datatype, [3, 2], 4), random_rows("UINT8", [5], 4), random_rows("INT64", [], 4)]
    states = layout.write([*reversed(pieces), torch.zeros(4, 3)])

    assert layout.inputs == ["s0", "s1", "s2"]
    for row, state in enumerate(states):
        assert len(state) == layout.size_bytes
        for name, piece in zip(layout.inputs, pieces, strict=True):
            assert torch.equal(tensor(joined([layout.read(state)[name]])), piece[row : row + 1])


def test_bytes_are_the_tensors_one_after_the_other() -> None:
    layout = make_layout(("INT16", [2], 0), ("UINT8", [3], 0))
    after = torch.tensor([[7, 8, 9]], dtype=torch.uint8), torch.tensor([[1, 258]], dtype=torch.int16)

    assert layout.write([*after, torch.zeros(1, 3)]) == [b"\x01\x00\x02\x01\x07\x08\x09"]


def test_a_sequence_begins_as_the_manifest_says() -> None:
    state = make_layout(("FP32", [2], 1.5), ("INT64", [1], -3)).read(b"")

    assert tensor(joined([state["s0"]])).tolist() == [[1.5, 1.5]]
    assert tensor(joined([state["s1"]])).tolist() == [[-3]]


def test_a_model_that_writes_to_its_state_spoils_no_other_beginning() -> None:
    layout = make_layout(("FP32", [2], 0))
    tensor(joined([layout.read(b"")["s0"]])).add_(1)

    assert tensor(joined([layout.read(b"")["s0"]])).tolist() == [[0, 0]]


@pytest.mark.parametrize("size", [1, 7, 9, 100])
def test_bytes_of_another_model_are_refused(size: int) -> None:
    with pytest.raises(ModelFailed, match=f"has {size} bytes; the model's takes 8"):
        make_layout(("FP32", [2], 0)).read(bytes(size))


def test_state_has_a_limit() -> None:
    assert make_layout(("UINT8", [MAX_STATE_BYTES], 0)).size_bytes == MAX_STATE_BYTES
    with pytest.raises(InvalidManifest, match="65537 bytes"):
        make_layout(("UINT8", [MAX_STATE_BYTES], 0), ("UINT8", [1], 0))
