"""Bytes on a local disk: copies that are hashed on the way, and folders that appear whole or not at all."""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model_store.manifest import FileEntry

CHUNK_BYTES = 2**20
READ_ONLY = 0o444


def hash_stream(source: BinaryIO, target: BinaryIO | None = None) -> FileEntry:
    """Read `source` to its end and return its hash and size, copying to `target` if there is one."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)

    return FileEntry(sha256=digest.hexdigest(), size_bytes=size)


def copy_hashed(source: BinaryIO, target: Path) -> FileEntry:
    """Copy `source` to the new file `target`, synced to disk and read-only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        entry = hash_stream(source, file)
        file.flush()
        os.fsync(file.fileno())
    target.chmod(READ_ONLY)
    return entry


def replace_bytes(target: Path, data: bytes) -> None:
    """Give `target` these bytes, synced; a reader sees the old or the new ones, never a part."""
    new = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    with new.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(READ_ONLY)
    new.replace(target)


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Make a folder of a new name under `parent`; whatever is still there at the end goes."""
    folder = parent / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def move_folder(folder: Path, target: Path) -> bool:
    """Rename a synced folder to `target`; return False if something is already there.

    Both must be on one file system. Of several movers to one target, exactly one gets True.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError as err:
        if err.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
            return False
        raise

    sync_folder(target.parent)
    sync_folder(target.parent.parent)
    return True


def remove_folders(parent: Path, *, before: float) -> int:
    """Remove the folders in `parent` that nobody added to since that unix time; return how many."""
    removed = 0
    for folder in parent.glob("*"):
        try:
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder)
                removed += 1
        except FileNotFoundError:
            # Its publisher moved or removed it in this moment.
            continue
    return removed


def sync_tree(folder: Path) -> None:
    """Sync the entries of a folder and of all below; the files' bytes were synced as they were written."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Bring what a folder lists safely to the disk: the names of its files, not their bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
