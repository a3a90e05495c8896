"""How many backups stay: the newest ones; and nothing of those that never were finished."""

import shutil
from pathlib import Path

from deploy.backup.archive import finished, unfinished


def sweep(target: Path, *, keep: int) -> list[Path]:
    """Remove all but the newest `keep` backups in a folder, and return those; 0 keeps all."""
    old = finished(target)[:-keep] if keep else []
    for folder in old:
        shutil.rmtree(folder)
    return old


def sweep_unfinished(target: Path) -> None:
    """Remove what backups that died have left. Only while none is being made."""
    for folder in unfinished(target):
        shutil.rmtree(folder)
