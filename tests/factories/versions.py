"""Drafts and stores for tests that need versions and no torch: their artifacts are arbitrary bytes."""

from pathlib import Path
from typing import Any

from model_store.manifest import Manifest, TensorSpec
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft, publish
from model_store.reader import ModelStore, open_store


def make_manifest(**changes: Any) -> Manifest:
    """Return the smallest manifest of an image classifier, with `changes` made."""
    fields: dict[str, Any] = {
        "inputs": [TensorSpec(name="image", datatype="FP32", shape=[-1, 3, 8, 8])],
        "outputs": [TensorSpec(name="scores", datatype="FP32", shape=[-1, 3])],
        "max_batch_size": 8,
        "task": "image-classification",
        "labels": ["red", "green", "blue"],
    }
    return Manifest(**{**fields, **changes})


def make_draft(folder: Path, *, artifact: bytes = b"weights", **changes: Any) -> VersionDraft:
    """Return a draft named `tiny` whose artifact, a new file in `folder`, holds the given bytes."""
    path = folder / f"artifact-{len(list(folder.glob('artifact-*')))}.pt"
    path.write_bytes(artifact)
    fields: dict[str, Any] = {"name": "tiny", "version": None, "manifest": make_manifest(), "artifact": path}
    return VersionDraft(**{**fields, **changes})


def accept(_folder: Path) -> None:
    """Prove nothing: take any staged folder for good."""


def make_store(folder: Path) -> ModelStore:
    """Return a local store in `folder`."""
    return open_store(str(folder / "store"), folder / "store-cache")


def publish_bytes(store: ModelStore, folder: Path, **changes: Any) -> ModelRef:
    """Publish a draft of arbitrary bytes; `folder` holds its artifact."""
    return publish(store, make_draft(folder, **changes), prove=accept)
