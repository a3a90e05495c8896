"""The entries of a metrics file, read and written whole: of one that was torn, what stands before the tear.

After a power loss a file may have its length, and zeros where entries were. Nobody mends that; everybody reads on.
"""

import logging
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson
from prometheus_client.mmap_dict import MmapedDict

from app.infra.metric_room import take_room

MARK_KEY: Final = "folded"
MARK: Final = MARK_KEY.encode()
"""The key of the entry that says who was folded last: the process, and where its file lay."""

Value = tuple[float, float]

logger = logging.getLogger(__name__)


def read_entries(path: Path) -> dict[str, Value]:
    """Return all entries; none of a file that is not there, or whose process was killed before its first."""
    entries: dict[str, Value] = {}
    with suppress(FileNotFoundError):
        if path.stat().st_size:
            try:
                entries.update(_whole_entries(path))
            except (RuntimeError, ValueError, struct.error) as err:
                warn_of_tear(path, err)
    return entries


def write_entries(path: Path, entries: Mapping[str, Value]) -> None:
    """Put a file in the place of another, whole or not at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    take_room(new, entries)
    file = MmapedDict(str(new))
    for key, value in entries.items():
        file.write_value(key, *value)
    file.close()
    new.replace(path)


def warn_of_tear(path: Path, err: Exception) -> None:
    """Say that the rest of a file cannot be read."""
    logger.warning("what %s/%s counted is left out from where it is torn: %s", path.parent.name, path.name, err)


def _whole_entries(path: Path) -> Iterator[tuple[str, Value]]:
    for key, value, set_at, _ in MmapedDict.read_all_values_from_file(str(path)):
        if key != MARK_KEY:
            # Keys are JSON: a torn one must not be copied from file to file.
            orjson.loads(key)
        yield key, (value, set_at)
