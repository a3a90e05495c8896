"""Publishing: a version is staged, hashed, synced, proven, and then appears whole or not at all."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.errors import DigestMismatch, InvalidManifest, MissingFile, StoreError, VersionExists
from model_store.commit import commit, sweep_claims
from model_store.files import copy_hashed, remove_folders, replace_bytes, sync_tree
from model_store.layout import asset_path
from model_store.manifest import (
    ARTIFACT_FILE,
    MANIFEST_FILE,
    SAMPLES_FILE,
    FileEntry,
    Manifest,
    check_complete,
    check_manifest,
    encode_manifest,
)
from model_store.model_ref import ModelRef, check_model_name
from model_store.reader import ModelStore

Prove = Callable[[Path], Manifest | None]


@dataclass(frozen=True, kw_only=True)
class VersionDraft:
    """What is to become a version. `assets` maps names under `assets/` to files; version None takes the next one.

    `job` is the id of the job that publishes it, if one does.
    """

    name: str
    version: int | None
    manifest: Manifest
    artifact: Path
    samples: bytes | None = None
    assets: dict[str, Path] = field(default_factory=dict)
    job: str = ""


def publish(store: ModelStore, draft: VersionDraft, *, prove: Prove) -> ModelRef:
    """Publish a draft and return what it became. Whatever fails leaves nothing behind.

    `prove` gets the staged folder, complete with its manifest; it raises a StoreError to refuse it, and may return
    a manifest to be published instead.

    :raises VersionExists: when the draft's version is taken, even by a publish that began later and ended first.
    :raises InvalidManifest: when the manifest names another model or version than the draft.
    :raises DigestMismatch: when the manifest came with hashes and a file has another.
    :raises MissingFile: when the manifest came with hashes of files that the draft lacks.
    """
    ref = _first_choice(store, draft)
    with store.staging() as folder:
        with store.reaching():
            manifest = _stage(folder, draft, ref)
        proven = prove(folder)
        if proven is not None:
            manifest = _stamp(msgspec.structs.replace(proven, job=draft.job), ref, manifest.files)
        check_complete(manifest)
        with store.reaching():
            return _commit_first_free(store, folder, manifest, is_fixed=draft.version is not None)


def sweep_staging(store: ModelStore, older_than_s: float) -> int:
    """Remove what publishes that died left behind more than `older_than_s` seconds ago; return how much."""
    before = time.time() - older_than_s
    with store.reaching():
        removed = remove_folders(store.staging_dir, before=before)

    return removed + sweep_claims(store, before)


def _first_choice(store: ModelStore, draft: VersionDraft) -> ModelRef:
    check_model_name(draft.name)
    named = draft.manifest
    if named.name not in ("", draft.name) or named.version not in (0, draft.version or named.version):
        raise InvalidManifest(f"The manifest is of {named.name}/{named.version}, not of {draft.name}/{draft.version}.")

    if draft.version is None:
        return _next_ref(store, draft.name)
    ref = ModelRef(draft.name, draft.version)
    if ref in store.taken(draft.name):
        raise VersionExists(ref.name, ref.version)

    return ref


def _next_ref(store: ModelStore, name: str) -> ModelRef:
    taken = store.taken(name)
    return ModelRef(name, taken[-1].version + 1 if taken else 1)


def _stage(folder: Path, draft: VersionDraft, ref: ModelRef) -> Manifest:
    files = {ARTIFACT_FILE: _copy_file(draft.artifact, folder / ARTIFACT_FILE)}
    if draft.samples is not None:
        files[SAMPLES_FILE] = copy_hashed(io.BytesIO(draft.samples), folder / SAMPLES_FILE)
    for name, source in draft.assets.items():
        path = asset_path(name)
        files[path] = _copy_file(source, folder / path)
    _check_files(draft.manifest.files, files)

    manifest = _stamp(msgspec.structs.replace(draft.manifest, job=draft.job), ref, files)
    replace_bytes(folder / MANIFEST_FILE, encode_manifest(manifest))
    return manifest


def _copy_file(source: Path, target: Path) -> FileEntry:
    try:
        file = source.open("rb")
    except OSError as err:
        raise StoreError(f"The file '{source.name}' cannot be read: {err.strerror}.") from err

    with file:
        return copy_hashed(file, target)


def _check_files(wanted: dict[str, FileEntry], found: dict[str, FileEntry]) -> None:
    for path, entry in wanted.items():
        if path not in found:
            raise MissingFile(path)
        if found[path] != entry:
            raise DigestMismatch(path)


def _stamp(manifest: Manifest, ref: ModelRef, files: dict[str, FileEntry]) -> Manifest:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    stamped = msgspec.structs.replace(manifest, name=ref.name, version=ref.version, files=files, created_at=now)
    return check_manifest(stamped)


def _commit_first_free(store: ModelStore, folder: Path, manifest: Manifest, *, is_fixed: bool) -> ModelRef:
    """Try the staged version's number, then the next ones; each number lost is one that somebody else published."""
    ref = ModelRef(manifest.name, manifest.version)
    while True:
        named = msgspec.structs.replace(manifest, version=ref.version)
        replace_bytes(folder / MANIFEST_FILE, encode_manifest(named))
        sync_tree(folder)
        if commit(store, folder, ref):
            return ref
        if is_fixed:
            raise VersionExists(ref.name, ref.version)
        ref = _next_ref(store, ref.name)
