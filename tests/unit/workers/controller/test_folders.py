"""Version folders, fetched in the background."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.errors import StoreUnreachable
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from workers.controller.folders import VersionFolders

VERSION = DesiredVersion(ref=ModelRef("digits", 1), digest="0" * 64)


class SlowStore:
    """A store whose copies wait for the test."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.results: list[Path | StoreUnreachable] = []

    def local_folder(self, ref: ModelRef, *, digest: str) -> Path:
        assert digest == VERSION.digest
        self.may_go_on.wait(10)
        result = self.results.pop(0)
        if isinstance(result, StoreUnreachable):
            raise result
        return result / str(ref)


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def fetched() -> threading.Event:
    return threading.Event()


@pytest.fixture
def spec(store: SlowStore) -> Any:
    spec = mock.create_autospec(ModelStore, instance=True)
    spec.local_folder.side_effect = store.local_folder
    return spec


@pytest.fixture
def folders(store: SlowStore, spec: Any, fetched: threading.Event) -> Iterator[VersionFolders]:
    folders = VersionFolders(spec, slots=1, on_ready=fetched.set)
    yield folders
    store.may_go_on.set()
    folders.close()


def test_folder_is_handed_out_once_it_is_there(
    folders: VersionFolders, store: SlowStore, fetched: threading.Event, tmp_path: Path
) -> None:
    store.results = [tmp_path]
    assert folders.take(VERSION) is None
    assert folders.take(VERSION) is None

    store.may_go_on.set()

    assert fetched.wait(10)
    assert folders.take(VERSION) == tmp_path / "digits/1"


def test_failed_fetch_is_told_and_begun_again(folders: VersionFolders, store: SlowStore, tmp_path: Path) -> None:
    store.results = [StoreUnreachable("The model store is away."), tmp_path]
    store.may_go_on.set()

    with pytest.raises(StoreUnreachable):
        take_patiently(folders)

    assert take_patiently(folders) == tmp_path / "digits/1"


def test_copy_of_a_version_that_did_not_load_is_looked_at_once(
    folders: VersionFolders, store: SlowStore, spec: Any, tmp_path: Path
) -> None:
    store.results = [tmp_path, tmp_path, tmp_path]
    store.may_go_on.set()
    take_patiently(folders)
    spec.drop_damaged_copy.assert_not_called()

    folders.suspect(VERSION)
    take_patiently(folders)
    take_patiently(folders)

    spec.drop_damaged_copy.assert_called_once_with(VERSION.ref, VERSION.digest)


def take_patiently(folders: VersionFolders) -> Path:
    deadline = time.monotonic() + 10
    while (folder := folders.take(VERSION)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return folder
