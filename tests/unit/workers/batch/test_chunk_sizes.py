"""Chunks are as large as the version is fast, and no larger than memory allows."""

import pytest

from app.scenarios.job_inputs import ChunkLimits
from model_store.manifest import Manifest, Measured, MeasuredBatch
from tests.factories.tensors import spec
from workers.batch.chunk_sizes import (
    MOST_ANSWER_BYTES,
    MOST_BATCH_BYTES,
    MOST_BYTES,
    MOST_ROWS,
    batch_rows,
    batch_rows_of,
    chunk_limits,
    tensor_bytes,
)
from workers.runner.proof import Proof

SMALL = Manifest(inputs=[spec("x", "FP32", [-1, 4])], outputs=[spec("y", "FP32", [-1, 2])])


def proof(rows_per_s: float, batch: int = 1) -> Proof:
    return Proof(seconds={batch: batch / rows_per_s}, is_batch_safe=True)


def measured(*memory: tuple[int, int]) -> Manifest:
    """Return a manifest that says what batches took; each is twice as fast per row as the one before."""
    batches = [MeasuredBatch(batch_size=size, seconds=1.0, memory_bytes=taken) for size, taken in memory]
    found = Measured(load_s=1.0, memory_bytes=0, is_batch_safe=True, batches=batches)
    return Manifest(inputs=SMALL.inputs, outputs=SMALL.outputs, max_batch_size=64, measured=found)


@pytest.mark.parametrize(
    ("rows_per_s", "batch", "most_rows"),
    [(0.01, 1, 1), (1.0, 1, 2), (100.0, 1, 298), (100.0, 32, 288), (1e6, 32, 9984), (1e9, 1, MOST_ROWS)],
)
def test_chunks_take_some_seconds_in_whole_batches(rows_per_s: float, batch: int, most_rows: int) -> None:
    limits = chunk_limits(proof(rows_per_s, batch), SMALL, answers_tensors=True)

    assert limits == ChunkLimits(most_rows=most_rows, most_bytes=MOST_BYTES)


def test_wide_answers_make_small_chunks() -> None:
    wide = Manifest(inputs=SMALL.inputs, outputs=[spec("y", "FP32", [-1, 1024, 1024])])
    unknown = Manifest(inputs=SMALL.inputs, outputs=[spec("y", "FP32", [-1, -1])])

    # Four MiB a row, and five times that as JSON.
    assert chunk_limits(proof(1e6), wide, answers_tensors=True).most_rows == MOST_ANSWER_BYTES // (20 * 2**20)
    assert chunk_limits(proof(1e9), unknown, answers_tensors=True).most_rows == MOST_ROWS
    # The best of a million scores is a short answer.
    assert chunk_limits(proof(1e9), wide, answers_tensors=False).most_rows == MOST_ROWS


def test_batch_is_the_fastest_that_fits_into_memory() -> None:
    fits, too_much = MOST_BATCH_BYTES, MOST_BATCH_BYTES + 1
    sizes = Proof(seconds={1: 1.0, 8: 1.0, 32: 1.0}, is_batch_safe=True)

    assert batch_rows(sizes, measured((1, 0), (8, fits), (32, fits))) == 32
    assert batch_rows(sizes, measured((1, 0), (8, fits), (32, too_much))) == 8
    assert batch_rows(sizes, measured((1, too_much), (8, too_much), (32, too_much))) == 1
    assert batch_rows_of({}, measured((1, 0), (8, fits), (32, too_much))) == 8
    assert batch_rows_of({"batch_rows": 32}, measured((1, 0), (32, too_much))) == 32


def test_batch_of_large_tensors_is_small_though_nobody_measured() -> None:
    images = Manifest(inputs=[spec("x", "FP32", [-1, 3, 2048, 2048])], outputs=SMALL.outputs)

    assert batch_rows(Proof(seconds={1: 1.0, 4: 1.0, 32: 1.0}, is_batch_safe=True), images) == 4


def test_bytes_of_a_row_are_told_where_shapes_tell() -> None:
    assert tensor_bytes(SMALL.inputs + SMALL.outputs) == 24
    assert tensor_bytes([spec("x", "BYTES", [-1, 3])]) == 3
    assert tensor_bytes([spec("x", "FP32", [-1, -1])]) is None
