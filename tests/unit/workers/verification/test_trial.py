"""A trial finds out what an artifact is, in whatever process it runs."""

from pathlib import Path

import pytest

from app.errors import ForbiddenCode, UnloadableArtifact
from tests.factories.hostile import MixesRows, stage, stage_good
from tests.factories.models import ColourModel
from tests.unit.model_store.test_code_scan import SavesInLoad
from workers.runner.pipelines.base import Limits
from workers.verification.trial import TorchRecords, Trial, verify_here
from workers.verification.verify import ignore_step


def test_what_is_trusted_is_measured_here(tmp_path: Path) -> None:
    steps: list[str] = []
    folder = stage_good(tmp_path, ColourModel(), inputs=[], outputs=[], description="kept")
    manifest = verify_here(folder, limits=Limits(), report=steps.append).manifest

    assert (manifest.description, manifest.max_batch_size) == ("kept", 8)
    assert [spec.name for spec in (*manifest.inputs, *manifest.outputs)] == ["image", "scores"]
    assert manifest.measured is not None
    assert [batch.batch_size for batch in manifest.measured.batches] == [1, 2, 4, 8]
    assert steps[0] == "reading the archive"
    assert steps[-1] == "running a batch of 8"


def test_rows_that_disturb_each_other_are_found_out(tmp_path: Path) -> None:
    found = Trial(limits=Limits(), report=ignore_step).run(stage(tmp_path, MixesRows()))

    assert found.max_batch_size == 1
    assert not found.measured.is_batch_safe


def test_the_code_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    with pytest.raises(ForbiddenCode, match="'save'"):
        verify_here(stage(tmp_path, SavesInLoad()), limits=Limits(), report=ignore_step)


def test_a_file_that_torch_cannot_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK" * 100)

    with pytest.raises(UnloadableArtifact, match="not a whole TorchScript archive"):
        TorchRecords(tmp_path / "model.pt")
