"""Deleting a version: unpublished in one step, then its files go, and a marker keeps its number taken.

Numbers are never given again, whatever becomes of the database: aliases in people's heads, logs and scripts mean the
version that was deleted. The manifest goes first, so that nobody reads half a version; the marker is there before the
last of the other files goes, so that nobody can take the number in between.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from model_store.layout import CLAIM_FILE, DELETED_FILE, manifest_path, version_path
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore

_KEPT = frozenset({CLAIM_FILE, DELETED_FILE})


def remove(store: ModelStore, ref: ModelRef) -> bool:
    """Delete the files of a version; return whether there were any. One that broke off is finished by the next.

    Copies of it on other machines stay until their cache is cleared.
    """
    left = store.entries(ref)
    if not left - _KEPT:
        return False

    with store.reaching():
        if store.file_system.exists(store.path(manifest_path(ref))):
            store.file_system.rm_file(store.path(manifest_path(ref)))
        _mark(store, ref)
        for name in sorted(store.entries(ref) - _KEPT):
            store.file_system.rm(store.path(f"{version_path(ref)}/{name}"), recursive=True)
        _clear_cache(store.cache_dir, ref)
    return True


def mark_deleted(store: ModelStore, ref: ModelRef) -> bool:
    """Keep a number taken of which the store knows nothing; return whether that was so."""
    if store.entries(ref):
        return False

    with store.reaching():
        store.file_system.makedirs(store.path(version_path(ref)), exist_ok=True)
        _mark(store, ref)
    return True


def _mark(store: ModelStore, ref: ModelRef) -> None:
    deleted_at = datetime.now(UTC).isoformat(timespec="seconds")
    store.file_system.pipe_file(store.path(f"{version_path(ref)}/{DELETED_FILE}"), deleted_at.encode())


def _clear_cache(cache_dir: Path, ref: ModelRef) -> None:
    for copy in (cache_dir / ref.name).glob(f"{ref.version}-*"):
        shutil.rmtree(copy)
