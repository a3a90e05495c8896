"""What a doorkeeper writes down for those who asked it to change servers."""

from pathlib import Path

import msgspec
from msgspec import Struct

NAME = "door.json"


class DoorRecord(Struct, frozen=True, kw_only=True):
    """Who serves, and how often that changed or was tried in vain since the doorkeeper's start."""

    doorkeeper: int
    serving: int = 0
    changed: int = 0
    failed: int = 0


def write_record(folder: Path, record: DoorRecord) -> None:
    """Replace what was written, whole or not at all."""
    staged = folder / f"{NAME}.new"
    staged.write_bytes(msgspec.json.encode(record))
    staged.replace(folder / NAME)


def read_record(folder: Path) -> DoorRecord | None:
    """Return what was written last; None where no doorkeeper ever was."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=DoorRecord)
    except FileNotFoundError:
        return None
