"""Making a staged folder a version: by rename on a local disk, by a claim and a last manifest elsewhere.

Object stores cannot rename a folder in one step. There the first to create `claim` owns the number, the files
follow, and the manifest comes last: a version without one is not published. That only one publisher creates the
claim is the file system's promise (`mode="create"`: conditional writes on S3, GCS and Azure).
"""

import math
import time
import uuid
from pathlib import Path

import msgspec
from msgspec import Struct

from model_store.files import move_folder
from model_store.layout import CLAIM_FILE, manifest_path, version_path
from model_store.manifest import MANIFEST_FILE
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore


class _Claim(Struct, frozen=True):
    owner: str
    claimed_at: float


def commit(store: ModelStore, folder: Path, ref: ModelRef) -> bool:
    """Publish a synced folder as `ref`; return False if the number is taken. Of several, exactly one gets True."""
    if store.is_local:
        return move_folder(folder, Path(store.path(version_path(ref))))

    if not _claim(store, ref):
        return False
    _upload(store, folder, ref)
    return True


def sweep_claims(store: ModelStore, before: float) -> int:
    """Remove versions that were claimed before that unix time and never got a manifest; return how many."""
    if store.is_local:
        return 0

    dead = [ref for ref in store.unfinished() if _claimed_at(store, ref) < before]
    for ref in dead:
        _remove(store, ref)
    return len(dead)


def _claim(store: ModelStore, ref: ModelRef) -> bool:
    mine = _Claim(owner=uuid.uuid4().hex, claimed_at=time.time())
    try:
        store.file_system.pipe_file(_claim_path(store, ref), msgspec.json.encode(mine), mode="create")
    except OSError:
        # Each object store has its own words for "it exists", and a client that repeats a write whose answer got
        # lost hears them about its own file. So what counts is whose claim stands.
        standing = _read_claim(store, ref)
        if standing is None:
            raise
        return standing.owner == mine.owner

    return True


def _upload(store: ModelStore, folder: Path, ref: ModelRef) -> None:
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != MANIFEST_FILE:
                store.file_system.put_file(str(path), store.path(f"{version_path(ref)}/{path.relative_to(folder)}"))
        store.file_system.pipe_file(store.path(manifest_path(ref)), (folder / MANIFEST_FILE).read_bytes())
    except OSError:
        _remove(store, ref)
        raise


def _claimed_at(store: ModelStore, ref: ModelRef) -> float:
    claim = _read_claim(store, ref)
    # Neither published nor claimed: somebody else's files, which are never old enough to be removed.
    return math.inf if claim is None else claim.claimed_at


def _read_claim(store: ModelStore, ref: ModelRef) -> _Claim | None:
    with store.reaching():
        try:
            return msgspec.json.decode(store.file_system.cat_file(_claim_path(store, ref)), type=_Claim)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None


def _claim_path(store: ModelStore, ref: ModelRef) -> str:
    return store.path(f"{version_path(ref)}/{CLAIM_FILE}")


def _remove(store: ModelStore, ref: ModelRef) -> None:
    with store.reaching():
        store.file_system.rm(store.path(version_path(ref)), recursive=True)
