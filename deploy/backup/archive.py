"""One backup as a folder: what was saved, `backup.json` about it, and `SHA256SUMS` over all of that.

`SHA256SUMS` has the form of `sha256sum`, so a folder can be checked without Galley. A folder whose name begins with a
dot is one that is being written, or never was finished.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from deploy.backup.errors import BackupError
from model_store.files import copy_hashed, hash_stream, replace_bytes, sync_folder, sync_tree
from model_store.manifest import FileEntry

FACTS_FILE: Final = "backup.json"
SUMS_FILE: Final = "SHA256SUMS"
FORMAT: Final = 1

_NAME: Final = re.compile(r"galley-\d{8}T\d{6}Z")
_UNFINISHED: Final = re.compile(rf"\.{_NAME.pattern}")
_SUM: Final = re.compile(r"([0-9a-f]{64})  (.+)")


class BackupFacts(Struct, frozen=True, kw_only=True):
    """What a backup says of itself. Times are RFC 3339 UTC."""

    format: int = FORMAT
    created_at: str
    galley: str
    """The version of Galley that made it."""
    database: str
    """`sqlite` or `postgresql`: a dump of one is nothing for the other."""
    revision: str | None
    """The revision of the schema, which the restoring code has to know."""
    versions: list[str]
    """What was saved of the store."""
    damaged: list[str]
    """Those of them whose bytes were not those of their manifest when they were read."""
    jobs: int | None
    """Of how many jobs there are files; None where they were left out."""


class Archive:
    """A backup being written. Nobody else finds it before it is sealed."""

    def __init__(self, target: Path, now: datetime) -> None:
        self.name = f"galley-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        self.folder = target / f".{self.name}"
        self._sums: dict[str, str] = {}
        if (target / self.name).exists():
            raise BackupError(f"There is a backup {target / self.name} already.")
        # SQL holds hashes of secrets, and names of clients.
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(mode=0o700)

    def add(self, relative: str, source: BinaryIO) -> FileEntry:
        """Copy `source` to a new file, and return its hash and size; of one that cannot be read nothing stays."""
        try:
            entry = copy_hashed(source, self.folder / relative)
        except OSError:
            # An object of a bucket that goes while it is read is missed only then.
            (self.folder / relative).unlink(missing_ok=True)
            raise
        self._sums[relative] = entry.sha256
        return entry

    def note(self, relative: str) -> None:
        """Take a file that was written by others into the checksums."""
        with (self.folder / relative).open("rb") as file:
            self._sums[relative] = hash_stream(file).sha256

    def drop(self, relative: str) -> None:
        """Take a file away again, with the folders that nothing else is in."""
        path = self.folder / relative
        path.unlink()
        del self._sums[relative]
        for folder in path.relative_to(self.folder).parents[:-1]:
            if not any((self.folder / folder).iterdir()):
                (self.folder / folder).rmdir()

    def seal(self, facts: BackupFacts) -> Path:
        """Write what the backup is and its checksums, and give it its name; return where it is."""
        replace_bytes(self.folder / FACTS_FILE, msgspec.json.format(msgspec.json.encode(facts)))
        self.note(FACTS_FILE)
        lines = [f"{self._sums[path]}  {path}\n" for path in sorted(self._sums)]
        replace_bytes(self.folder / SUMS_FILE, "".join(lines).encode())
        sync_tree(self.folder)
        place = self.folder.rename(self.folder.with_name(self.name))
        sync_folder(place.parent)
        return place


def finished(target: Path) -> list[Path]:
    """Return the whole backups in a folder, oldest first."""
    return sorted(path for path in _entries(target) if _NAME.fullmatch(path.name) and (path / SUMS_FILE).is_file())


def unfinished(target: Path) -> list[Path]:
    """Return what backups that died have left in a folder."""
    return sorted(path for path in _entries(target) if _UNFINISHED.fullmatch(path.name))


def open_backup(folder: Path) -> BackupFacts:
    """Check all of a backup's files against their checksums, and return what it says of itself.

    :raises BackupError: naming every file that is missing, changed or strange; or when it is none of ours.
    """
    wanted = _read_sums(folder)
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    problems = [f"{path} is missing" for path in sorted(wanted.keys() - found)]
    problems += [f"{path} is not part of it" for path in sorted(found - wanted.keys() - {SUMS_FILE})]
    problems += [
        f"{path} was changed" for path in sorted(wanted.keys() & found) if not _is(folder / path, wanted[path])
    ]
    if problems:
        raise BackupError("The backup is damaged: " + "; ".join(problems) + ".")

    return _read_facts(folder)


def paths_in(folder: Path, part: str) -> Iterator[str]:
    """Yield the files that a checked backup has below `part`, relative to it, in order."""
    root = folder / part
    yield from sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def _entries(target: Path) -> list[Path]:
    return [path for path in target.iterdir() if path.is_dir()] if target.is_dir() else []


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS_FILE).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise BackupError(f"{folder} is no whole backup: its {SUMS_FILE} cannot be read.") from err

    matches = [_SUM.fullmatch(line) for line in lines]
    sums = {match[2]: match[1] for match in matches if match}
    if len(sums) != len(lines) or FACTS_FILE not in sums or not all(map(_stays_inside, sums)):
        raise BackupError(f"{folder} is no whole backup: its {SUMS_FILE} is none.")

    return sums


def _stays_inside(relative: str) -> bool:
    path = PurePosixPath(relative)
    return not path.is_absolute() and ".." not in path.parts


def _is(path: Path, sha256: str) -> bool:
    # A link could lead anywhere by the time the file is read again.
    if path.is_symlink() or not path.is_file():
        return False

    with path.open("rb") as file:
        return hash_stream(file).sha256 == sha256


def _read_facts(folder: Path) -> BackupFacts:
    try:
        facts = msgspec.json.decode((folder / FACTS_FILE).read_bytes(), type=BackupFacts)
    except msgspec.DecodeError as err:
        raise BackupError(f"The {FACTS_FILE} of {folder} cannot be read: {err}.") from err
    if facts.format != FORMAT:
        raise BackupError(f"{folder} has format {facts.format}, and this Galley reads {FORMAT}.")

    return facts
