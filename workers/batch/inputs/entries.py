"""Which entries of an archive are rows, and which names are refused: nothing is unpacked under the name it has."""

import re
from typing import Final

from app.errors import InvalidInput, RefusedEntry

MOST_ENTRIES: Final = 1_000_000

_LONGEST_NAME: Final = 1024
# What macOS adds to archives, and nobody means to send: a folder, its own files, and halves of other files.
_LITTER_FOLDER: Final = "__MACOSX"
_LITTER_FILE: Final = ".DS_Store"
_LITTER_START: Final = "._"
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def is_litter(name: str) -> bool:
    """Say whether an entry is one of those that macOS adds by itself."""
    *folders, file = name.split("/")
    return _LITTER_FOLDER in folders or file == _LITTER_FILE or file.startswith(_LITTER_START)


def check_name(name: str) -> None:
    """Refuse a name that leads out of the archive, or is none that a file has.

    :raises RefusedEntry: then.
    """
    if name.startswith("/") or _DRIVE.match(name):
        raise RefusedEntry("The entry's name is an absolute path.")
    if "\\" in name or ".." in name.split("/"):
        raise RefusedEntry("The entry's name leads out of the archive: it has '..' or a backslash.")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise RefusedEntry("The entry's name is empty, too long or not printable.")


def shown_name(name: str) -> str:
    """Return a name as it may be told: whole where it is one that a file has."""
    return name[:_LONGEST_NAME]


def check_count(entries: int) -> None:
    """Refuse an archive of too many entries.

    :raises InvalidInput: then.
    """
    if entries > MOST_ENTRIES:
        raise InvalidInput(f"The archive has more than {MOST_ENTRIES} entries.")
