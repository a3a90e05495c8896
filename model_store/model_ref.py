"""Names: which characters a model, version, alias or file name may have, so that none can leave the store."""

import re
from dataclasses import dataclass

from app.errors import InvalidName

MAX_VERSION = 2**31 - 1
# `/v2/models/stats` is the statistics route of the Open Inference Protocol; a model of that name would hide it.
RESERVED_NAMES = frozenset({"stats"})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, order=True)
class ModelRef:
    """One version of one model. Construction checks both parts.

    :raises InvalidName: for a name or version that the store cannot hold.
    """

    name: str
    version: int

    def __post_init__(self) -> None:
        check_model_name(self.name)
        if not 1 <= self.version <= MAX_VERSION:
            raise InvalidName(f"A version is an integer from 1 to {MAX_VERSION}; {self.version} is not.")

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


def is_model_name(name: str) -> bool:
    """Say whether a model may be called so; no database is asked about anything else."""
    return bool(_NAME.fullmatch(name)) and name not in RESERVED_NAMES


def is_alias(alias: str) -> bool:
    """Say whether a version may be called so; no database is asked about anything else."""
    return bool(_ALIAS.fullmatch(alias))


def check_model_name(name: str) -> str:
    """Return `name` if a model may have it.

    :raises InvalidName: otherwise.
    """
    if not is_model_name(name):
        raise InvalidName(
            f"{name!r} cannot name a model: use 1 to 128 of A-Z a-z 0-9 . _ - , starting with a letter or digit, "
            f"and none of {', '.join(sorted(RESERVED_NAMES))}."
        )

    return name


def check_alias(alias: str) -> str:
    """Return `alias` if a version may be called so: like a name, but starting with a letter.

    :raises InvalidName: otherwise.
    """
    if not is_alias(alias):
        raise InvalidName(f"{alias!r} cannot be an alias: use 1 to 64 of A-Z a-z 0-9 . _ - , starting with a letter.")

    return alias


def check_file_name(path: str) -> str:
    """Return `path` if it is a relative path of plain segments, at most five deep.

    :raises InvalidName: otherwise.
    """
    if not _FILE.fullmatch(path):
        raise InvalidName(f"{path!r} cannot be a file of a model version.")

    return path
