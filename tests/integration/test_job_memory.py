"""A model that takes more memory than a chunk may fails with its rows; the process and the machine go on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor, nn

from app.db.repositories.jobs import JobState
from tests.factories.job_runs import MEASURED, JobRuns, job_runs
from tests.factories.models import publish_model
from tests.factories.tensor_models import doubles_manifest
from tests.factories.tensors import spec

# Far more than the test needs, and far less than a machine has.
ROOM_BYTES = 256 * 2**20
ROWS = 4


class Hungry(nn.Module):
    """Takes as many MiB as the first number of its batch says, and fills them."""

    def forward(self, x: Tensor) -> Tensor:
        taken = torch.ones([int(x[0, 0]) * 1048576], dtype=torch.uint8)
        return x + taken[:1] - 1


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[JobRuns]:
    with job_runs(tmp_path) as runs:
        manifest = doubles_manifest(measured=MEASURED, outputs=[spec("y", "FP32", [-1, -1])], max_batch_size=1)
        publish_model(runs.parts.store, tmp_path, Hungry(), name="hungry", manifest=manifest, samples=None)
        runs.parts.releases.adopt_store()
        yield runs


def run_rows(runs: JobRuns, mib: int) -> str:
    """Have each of a few rows take so many MiB; return their job."""
    limit = _held_bytes() + ROOM_BYTES
    runs.parts = replace(runs.parts, settings=replace(runs.parts.settings, job_memory_limit=limit))
    row = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [%d]}]}\n' % mib
    job_id = runs.planned(row * ROWS, kind="tensor", model_name="hungry", max_error_share=1.0)
    runs.run_all()
    return job_id


def _held_bytes() -> int:
    """Return what this process holds of the memory that is limited."""
    return int(psutil.Process().memory_info().data)


def test_rows_that_take_too_much_are_bad_rows(runs: JobRuns) -> None:
    job_id = run_rows(runs, 2 * ROOM_BYTES // 2**20)

    assert (runs.job(job_id).state, runs.job(job_id).failed) == (JobState.SUCCEEDED, ROWS)
    assert {line["code"] for line in runs.lines(job_id, "errors")} == {"model_failed"}


def test_rows_that_fit_are_answered(runs: JobRuns) -> None:
    job_id = run_rows(runs, 8)

    assert (runs.job(job_id).state, runs.job(job_id).failed) == (JobState.SUCCEEDED, 0)
    assert [line["outputs"][0]["data"] for line in runs.lines(job_id)] == [[pytest.approx(8.0)]] * ROWS
