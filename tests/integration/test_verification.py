"""Hostile artifacts in the limited process: each is stopped, by which limit and in which step is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from app.errors import ForbiddenCode, LimitExceeded, SignatureMismatch, StoreError, UnloadableArtifact
from model_store.manifest import Preprocessing, TensorSpec
from model_store.signature import Sample, encode_samples, from_array
from tests.factories.hostile import (
    AnswersTooMuch,
    Crashes,
    EatsMemory,
    LoopsForever,
    LoopsInLoad,
    MixesRows,
    stage,
    stage_good,
)
from tests.factories.models import ColourModel
from tests.unit.model_store.test_code_scan import SavesInLoad
from workers.verification.limits import VerificationLimits
from workers.verification.verify import verify_isolated

LIMITS = VerificationLimits(memory_bytes=512 * 2**20, cpu_s=20, wall_s=30)
# What a manifest of the colour models says that one of plain tensors does not.
PLAIN: dict[str, Any] = {"task": "tensor", "labels": [], "preprocessing": Preprocessing()}


def test_a_good_model_comes_out_measured(tmp_path: Path) -> None:
    steps: list[str] = []
    manifest = verify_isolated(stage_good(tmp_path, ColourModel()), limits=LIMITS, report=steps.append).manifest

    assert manifest.measured is not None
    assert manifest.measured.is_batch_safe
    assert manifest.measured.load_s > 0.0
    assert [batch.batch_size for batch in manifest.measured.batches] == [1, 2, 4, 8]
    assert all(batch.seconds > 0.0 for batch in manifest.measured.batches)
    assert {"reading the code", "loading the artifact", "replaying the samples", "running a batch of 8"} <= set(steps)


def test_a_signature_is_found_out(tmp_path: Path) -> None:
    folder = stage_good(tmp_path, ColourModel(), inputs=[], outputs=[])
    manifest = verify_isolated(folder, limits=LIMITS).manifest

    assert manifest.inputs == [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, 8, 8])]
    assert manifest.outputs == [TensorSpec(name="scores", datatype="FP32", shape=[-1, 3])]


@pytest.mark.long
@pytest.mark.parametrize("module", [LoopsForever(), LoopsInLoad()])
def test_a_loop_ends_by_the_clock(tmp_path: Path, module: nn.Module) -> None:
    with pytest.raises(LimitExceeded, match=r"more than 0\.5 s \(VERIFICATION_WALL_S raises it\); it was ended while"):
        verify_isolated(stage_good(tmp_path, module), limits=replace(LIMITS, wall_s=0.5))


@pytest.mark.long
def test_a_loop_ends_by_the_processor_time_it_takes(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"processor time \(VERIFICATION_CPU_S raises it\); .* while replaying"):
        verify_isolated(stage_good(tmp_path, LoopsForever()), limits=replace(LIMITS, cpu_s=1.0))


@pytest.mark.long
@pytest.mark.parametrize("module", [EatsMemory(), AnswersTooMuch()])
def test_memory_is_limited(tmp_path: Path, module: nn.Module) -> None:
    with pytest.raises(LimitExceeded, match=r"\(512 MiB; VERIFICATION_MEMORY raises it\), while replaying"):
        verify_isolated(stage_good(tmp_path, module), limits=LIMITS)


def test_memory_that_the_signature_asks_for_is_limited(tmp_path: Path) -> None:
    """Before the model has answered anything: nothing of it is to blame, and nothing catches it."""
    wide = TensorSpec(name="x", datatype="FP32", shape=[-1, 2**60])

    with pytest.raises(LimitExceeded, match="while deriving the signature"):
        verify_isolated(stage(tmp_path, ColourModel(), inputs=[wide], outputs=[]), limits=LIMITS)


def test_a_crash_names_the_step(tmp_path: Path) -> None:
    with pytest.raises(UnloadableArtifact, match="was ended by SIGSEGV while running a made-up row"):
        verify_isolated(stage(tmp_path, Crashes()), limits=LIMITS)


def test_code_is_read_before_anything_is_started(tmp_path: Path) -> None:
    steps: list[str] = []
    with pytest.raises(ForbiddenCode, match="'save'"):
        verify_isolated(stage(tmp_path, SavesInLoad()), limits=LIMITS, report=steps.append)

    assert steps == ["reading the code"]


def test_rows_that_disturb_each_other_take_the_batches_away(tmp_path: Path) -> None:
    manifest = verify_isolated(stage(tmp_path, MixesRows()), limits=LIMITS).manifest

    assert manifest.max_batch_size == 1
    assert manifest.measured is not None
    assert not manifest.measured.is_batch_safe


def test_a_model_traced_with_a_batch_of_one_is_found_out(tmp_path: Path) -> None:
    class FoldsItsBatch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(1, x.shape[0] * 4) * 2.0

    row = torch.arange(4.0).reshape(1, 4)
    sample = Sample(inputs=[from_array("x", "FP32", row.numpy())], outputs=[])
    traced = torch.jit.trace(FoldsItsBatch(), row)
    folder = stage(tmp_path, traced, samples=encode_samples([sample]), inputs=[], outputs=[], **PLAIN)

    manifest = verify_isolated(folder, limits=LIMITS).manifest
    assert manifest.outputs == [TensorSpec(name="output", datatype="FP32", shape=[-1, 4])]
    assert manifest.max_batch_size == 1


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"inputs": [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, 9, 9])]}, SignatureMismatch, "9, 9"),
        ({"labels": ["red"]}, StoreError, "1 labels for an output of 3 classes"),
    ],
)
def test_errors_come_back_as_they_were_raised(
    tmp_path: Path, changes: dict[str, Any], error: type[StoreError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        verify_isolated(stage(tmp_path, ColourModel(), **changes), limits=LIMITS)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    children = psutil.Process().children(recursive=True)
    with pytest.raises(LimitExceeded):
        verify_isolated(stage_good(tmp_path, LoopsInLoad()), limits=replace(LIMITS, wall_s=0.2))

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert psutil.Process().children(recursive=True) == children
