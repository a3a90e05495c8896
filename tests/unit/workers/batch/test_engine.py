"""Versions are loaded as runners load them, kept while there is room, and forgotten in the order of their use."""

from pathlib import Path

import msgspec
import pytest
import torch

from app.errors import DigestMismatch, VersionNotFound
from app.inference.messages import Form
from model_store.manifest import Measured, MeasuredBatch
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.engines import make_engine
from tests.factories.job_runs import MEASURED
from tests.factories.models import colour_manifest, publish_model
from tests.factories.versions import make_store
from workers.batch.engine import Engine, LoadedVersion, measured_proof


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return make_store(tmp_path)


def published(store: ModelStore, folder: Path, count: int, memory_bytes: int = 10**6) -> list[ModelRef]:
    measured = msgspec.structs.replace(MEASURED, memory_bytes=memory_bytes)
    return [publish_model(store, folder, manifest=colour_manifest(measured=measured)) for _ in range(count)]


def load(engine: Engine, store: ModelStore, ref: ModelRef) -> LoadedVersion:
    return engine.load(ref, store.digest(ref))


def test_version_is_loaded_once_and_can_be_asked_in_all_its_forms(store: ModelStore, tmp_path: Path) -> None:
    (ref,) = published(store, tmp_path, 1)
    engine = make_engine(store)
    first, second = load(engine, store, ref), load(engine, store, ref)

    assert first is second
    assert set(first.runner.pipelines) == {Form.SCENARIO, Form.TENSORS}
    assert (first.ref, first.memory_bytes, torch.get_num_threads()) == (ref, 10**6, 1)


def test_the_ones_used_last_stay(store: ModelStore, tmp_path: Path) -> None:
    first, second, third = published(store, tmp_path, 3)
    engine = make_engine(store, most_versions=2)
    for ref in (first, second, first, third):
        load(engine, store, ref)

    assert engine.held == [first, third]


def test_there_is_never_more_in_memory_than_may_be(store: ModelStore, tmp_path: Path) -> None:
    small, other, large = *published(store, tmp_path, 2, 400_000), *published(store, tmp_path, 1, 600_000)
    engine = make_engine(store, most_bytes=1_000_000)
    for ref, held in ((small, [small]), (other, [small, other]), (large, [other, large])):
        load(engine, store, ref)
        assert engine.held == held


def test_version_larger_than_all_room_is_loaded_alone(store: ModelStore, tmp_path: Path) -> None:
    small, huge = *published(store, tmp_path, 1, 1), *published(store, tmp_path, 1, 10**12)
    engine = make_engine(store)
    for ref in (small, huge):
        load(engine, store, ref)

    assert engine.held == [huge]


def test_damaged_files_are_not_loaded_and_hold_no_place(store: ModelStore, tmp_path: Path) -> None:
    (ref,) = published(store, tmp_path, 1)
    engine, digest = make_engine(store), store.digest(ref)
    with pytest.raises(DigestMismatch):
        engine.load(ref, "0" * 64)
    (store.local_folder(ref) / "model.pt").write_bytes(b"other bytes")
    with pytest.raises(DigestMismatch):
        engine.load(ref, digest)
    with pytest.raises(VersionNotFound):
        engine.load(ModelRef("colours", 9), digest)

    assert engine.held == []


def test_speed_is_what_verification_measured(store: ModelStore, tmp_path: Path) -> None:
    (ref,) = published(store, tmp_path, 1)
    proof = make_engine(store).measure(ref, store.digest(ref))

    assert (proof.best_batch, proof.rows_per_s) == (4, 2000.0)


def test_speed_of_a_version_that_nobody_measured_is_found_out(store: ModelStore, tmp_path: Path) -> None:
    ref = publish_model(store, tmp_path)
    proof = make_engine(store).measure(ref, store.digest(ref))

    assert list(proof.seconds) == [1, 2, 4, 8]


@pytest.mark.parametrize("sizes", [[], [16]])
def test_batches_that_are_of_no_use_are_none(sizes: list[int]) -> None:
    batches = [MeasuredBatch(batch_size=size, seconds=0.1) for size in sizes]
    measured = Measured(load_s=0.1, memory_bytes=0, is_batch_safe=True, batches=batches)

    assert measured_proof(colour_manifest(measured=measured)) is None
