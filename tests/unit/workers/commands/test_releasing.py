"""Releasing says what was proven, and publishes what the proof returned."""

from pathlib import Path

import msgspec
import pytest

from app.services.releases import ReleaseService
from model_store.manifest import Manifest, Measured, MeasuredBatch
from model_store.model_ref import ModelRef
from tests.factories.database import make_database
from tests.factories.versions import make_draft, make_manifest, make_store
from workers.commands.releasing import Wishes, release

BATCHES = [
    MeasuredBatch(batch_size=1, seconds=0.1),
    MeasuredBatch(batch_size=4, seconds=0.2),
    MeasuredBatch(batch_size=8, seconds=0.8),
]


@pytest.mark.parametrize("is_batch_safe", [True, False])
def test_what_was_measured_is_said_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_batch_safe: bool
) -> None:
    measured = Measured(load_s=0.1, memory_bytes=1, is_batch_safe=is_batch_safe, batches=BATCHES)

    def prove(_folder: Path) -> Manifest:
        return msgspec.structs.replace(make_manifest(), measured=measured)

    store, database = make_store(tmp_path), make_database(tmp_path)
    try:
        ref = release(
            ReleaseService(database, store), make_draft(tmp_path), Wishes(prove=prove, alias="canary", pin=True)
        )
    finally:
        database.close()

    assert ref == ModelRef("tiny", 1)
    assert store.manifest(ref).measured == measured
    said = capsys.readouterr().out
    assert "proven: 20 rows/s on one thread, in batches of 4" in said
    assert ("max_batch_size is set to 1" in said) is not is_batch_safe
