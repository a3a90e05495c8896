"""The stores that the tests of this folder run on: a local one, and one that cannot rename folders."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_store.reader import ModelStore, open_store
from tests.factories.versions import make_store


@pytest.fixture
def local_store(tmp_path: Path) -> ModelStore:
    return make_store(tmp_path)


@pytest.fixture
def remote_store(tmp_path: Path) -> Iterator[ModelStore]:
    """A store on fsspec's in-memory file system, which knows no rename: it stands for object stores."""
    store = open_store(f"memory://{uuid.uuid4().hex}/models", tmp_path / "cache")
    yield store
    if store.file_system.exists(store.root):
        store.file_system.rm(store.root, recursive=True)


@pytest.fixture(params=["local_store", "remote_store"])
def store(request: pytest.FixtureRequest) -> ModelStore:
    """Each kind of store in turn: both must behave alike."""
    found: ModelStore = request.getfixturevalue(request.param)
    return found
