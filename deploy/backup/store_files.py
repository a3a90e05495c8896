"""Versions of the store, copied into a backup and put back from one; each is checked against its own manifest."""

from pathlib import Path
from typing import Final

import msgspec

from app.errors import GalleyError
from deploy.backup.archive import Archive, paths_in
from model_store.commit import commit
from model_store.files import copy_hashed, sync_tree
from model_store.layout import version_path
from model_store.manifest import MANIFEST_FILE, FileEntry, decode_manifest
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore

STORE_FOLDER: Final = "store"


class SavedVersions:
    """The versions that came into a backup. They are immutable, so one that was copied once is copied for good."""

    def __init__(self, store: ModelStore, archive: Archive) -> None:
        self._store = store
        self._archive = archive
        self._files: dict[ModelRef, dict[str, FileEntry]] = {}

    @property
    def refs(self) -> frozenset[ModelRef]:
        """The versions that are in the backup."""
        return frozenset(self._files)

    def copy_new(self) -> None:
        """Copy what the store has and the backup has not; a version that goes meanwhile is left out."""
        for ref in self._store.refs():
            if ref not in self._files:
                self._copy(ref)

    def forget(self, ref: ModelRef) -> None:
        """Take a version out again that was deleted since."""
        for name in self._files.pop(ref, {}):
            self._archive.drop(_place(ref, name))

    def damaged(self) -> list[ModelRef]:
        """Return the versions whose bytes are not those that their manifest names, in order."""
        return [ref for ref in sorted(self._files) if not self._is_whole(ref)]

    def _copy(self, ref: ModelRef) -> None:
        copied = self._files[ref] = {}
        folder = self._store.path(version_path(ref))
        try:
            with self._store.reaching():
                names = [path.removeprefix(f"{folder}/") for path in self._store.file_system.find(folder)]
            for name in names:
                copied[name] = self._copy_file(ref, name)
            is_there = MANIFEST_FILE in copied
        except FileNotFoundError:
            is_there = False
        if not is_there:
            # It is being deleted in this moment.
            self.forget(ref)

    def _copy_file(self, ref: ModelRef, name: str) -> FileEntry:
        # Not wrapped in `reaching`: a file that is not there means something here.
        with self._store.file_system.open(self._store.path(f"{version_path(ref)}/{name}"), "rb") as source:
            return self._archive.add(_place(ref, name), source)

    def _is_whole(self, ref: ModelRef) -> bool:
        found = self._files[ref]
        try:
            wanted = decode_manifest((self._archive.folder / _place(ref, MANIFEST_FILE)).read_bytes()).files
        except (GalleyError, FileNotFoundError, msgspec.DecodeError):
            return False

        return all(found.get(name) == entry for name, entry in wanted.items())


def put_versions_back(backup: Path, versions: list[ModelRef], store: ModelStore) -> int:
    """Bring versions of a checked backup into the store; return how many it did not have.

    One that it has with the same manifest stays, another one in its place goes.
    """
    return sum(_put_back(backup, ref, store) for ref in versions)


def _put_back(backup: Path, ref: ModelRef, store: ModelStore) -> bool:
    source = backup / STORE_FOLDER / version_path(ref)
    if store.entries(ref):
        if _has_same(store, ref, source):
            return False
        with store.reaching():
            store.file_system.rm(store.path(version_path(ref)), recursive=True)

    with store.staging() as folder:
        for name in paths_in(backup, f"{STORE_FOLDER}/{version_path(ref)}"):
            with (source / name).open("rb") as file:
                copy_hashed(file, folder / name)
        sync_tree(folder)
        with store.reaching():
            return commit(store, folder, ref)


def _has_same(store: ModelStore, ref: ModelRef, source: Path) -> bool:
    path = store.path(f"{version_path(ref)}/{MANIFEST_FILE}")
    with store.reaching():
        if not store.file_system.exists(path):
            return False
        return bool(store.file_system.cat_file(path) == (source / MANIFEST_FILE).read_bytes())


def _place(ref: ModelRef, name: str) -> str:
    return f"{STORE_FOLDER}/{version_path(ref)}/{name}"
