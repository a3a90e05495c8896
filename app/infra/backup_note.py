"""When a backup was made in which nothing was damaged: the time of a file that whoever makes backups leaves behind."""

import time
from pathlib import Path
from typing import Final

_NOTE: Final = "backup-made"


def note_backup(var_dir: Path) -> None:
    """Note that a good backup was made now."""
    (var_dir / _NOTE).touch()


def backup_age_s(var_dir: Path) -> float | None:
    """Return the seconds since the last good backup of this machine; None where none was ever made."""
    try:
        made_at = (var_dir / _NOTE).stat().st_mtime
    except OSError:
        return None

    return max(0.0, time.time() - made_at)
