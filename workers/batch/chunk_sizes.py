"""How many rows of a job go into a chunk, and how many of a chunk into one call of the model: by speed and memory."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.scenarios.job_inputs import ChunkLimits
from model_store.manifest import Manifest, TensorSpec
from workers.batch.engine import measured_proof
from workers.runner.loaded_model import TORCH_DTYPES
from workers.runner.proof import Proof

# Short enough to lose little with a worker and to let others in soon, long enough to be worth a claim and a commit.
CHUNK_S: Final = 3.0
MOST_ROWS: Final = 10_000
MOST_BYTES: Final = 8 * 2**20
# What reading a row, preparing it and writing its answer takes besides the model.
ROW_S: Final = 50e-6
# What the answers of a chunk may come to, as lines of JSON: a number has some five times its bytes there.
MOST_ANSWER_BYTES: Final = 128 * 2**20
_ANSWER_SHARE: Final = 5
# What a batch may take besides the model. Online it may be more: there its caller waits.
MOST_BATCH_BYTES: Final = 256 * 2**20
BATCH_ROWS: Final = "batch_rows"
"""Beside what the reader says of a chunk's place: how many rows go into a call of the model, wherever it is run."""


def chunk_limits(proof: Proof, manifest: Manifest, *, answers_tensors: bool) -> ChunkLimits:
    """Return how much a chunk may hold for a version that is as fast as `proof` says.

    `answers_tensors` says whether answers are the outputs that the manifest names; those of a scenario are short.
    """
    answer_bytes = _ANSWER_SHARE * (tensor_bytes(manifest.outputs) or 0) if answers_tensors else 0
    by_answers = MOST_ANSWER_BYTES // answer_bytes if answer_bytes else MOST_ROWS
    rows = max(1, min(MOST_ROWS, by_answers, int(CHUNK_S / (ROW_S + 1.0 / proof.rows_per_s))))
    whole_batches = rows - rows % batch_rows(proof, manifest)
    return ChunkLimits(most_rows=whole_batches or rows, most_bytes=MOST_BYTES)


def batch_rows(proof: Proof, manifest: Manifest) -> int:
    """Return the batch that is best for jobs: the fastest, or a smaller one where that takes too much memory."""
    fitting = [
        size for size in proof.seconds if size <= proof.best_batch and _batch_bytes(size, manifest) <= MOST_BATCH_BYTES
    ]
    return max(fitting, default=1)


def batch_rows_of(place: Mapping[str, Any], manifest: Manifest) -> int:
    """Return how many rows of a chunk go into one call of the model; it was not planned if it is a single request."""
    if BATCH_ROWS in place:
        return int(place[BATCH_ROWS])

    proof = measured_proof(manifest)
    return 1 if proof is None else batch_rows(proof, manifest)


def tensor_bytes(specs: Iterable[TensorSpec]) -> int | None:
    """Return how many bytes a row has in these tensors; None where its shape does not say."""
    total = 0
    for spec in specs:
        if -1 in spec.shape[1:]:
            return None
        total += math.prod(spec.shape[1:]) * _item_bytes(spec.datatype)
    return total


def _batch_bytes(size: int, manifest: Manifest) -> int:
    """Return what a batch takes besides the model: as verification measured it, at least its tensors."""
    measured = manifest.measured.batches if manifest.measured else []
    taken = next((batch.memory_bytes for batch in measured if batch.batch_size == size), 0)
    return max(taken, size * (tensor_bytes((*manifest.inputs, *manifest.outputs)) or 0))


def _item_bytes(datatype: str) -> int:
    return TORCH_DTYPES[datatype].itemsize if datatype in TORCH_DTYPES else 1
