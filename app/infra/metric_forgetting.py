"""Lets go of what dead processes counted of versions that were deleted: or series would grow with each release.

Living processes keep theirs in memory until they end and are folded, and lose them at the next turn.
"""

import logging
from collections.abc import Set
from pathlib import Path
from typing import Final

import orjson

from app.infra.metric_entries import MARK_KEY, read_entries, write_entries
from app.infra.metric_folding import PATIENCE_S, locked_within

logger = logging.getLogger(__name__)

_MODEL: Final = "model"
_VERSION: Final = "version"


def forget_versions(metrics_dir: Path, deleted: Set[tuple[str, str]], *, patience_s: float = PATIENCE_S) -> int:
    """Drop the folded series of these versions, each a model's name and a number; return how many those were.

    A folder that others read for longer than `patience_s` keeps its own until the next time.
    """
    return sum(_forget_in(folder, deleted, patience_s) for folder in metrics_dir.glob("*") if folder.is_dir())


def _forget_in(folder: Path, deleted: Set[tuple[str, str]], patience_s: float) -> int:
    with locked_within(folder, patience_s) as is_locked:
        if not is_locked:
            logger.warning("what %s counted of deleted versions is dropped later: the folder is in use", folder.name)
            return 0

        return sum(_forget(path, deleted) for path in folder.glob("*_folded.db"))


def _forget(folded: Path, deleted: Set[tuple[str, str]]) -> int:
    entries = read_entries(folded)
    kept = {key: value for key, value in entries.items() if key == MARK_KEY or _version_of(key) not in deleted}
    if len(kept) < len(entries):
        write_entries(folded, kept)
    return len(entries) - len(kept)


def _version_of(key: str) -> tuple[str, str]:
    labels = orjson.loads(key)[2]
    return labels.get(_MODEL, ""), labels.get(_VERSION, "")
