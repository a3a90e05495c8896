"""Files that hold secrets, and who may read them."""

import stat
from collections.abc import Iterator
from pathlib import Path

from app.secret_file import secret_files
from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning


def secrets(case: Case) -> Iterator[Finding]:
    """Files of secrets that others may read."""
    open_ones = [str(path) for path in _files(case) if _is_open(path)]
    if open_ones:
        yield error(
            "secrets",
            f"Others may read what must be secret: {', '.join(open_ones)}.",
            f"chmod 600 {' '.join(open_ones)}, and change what is in them if others have accounts here.",
        )
    else:
        yield good("secrets", "No file of secrets can be read by others.")


def first_admin(case: Case) -> Iterator[Finding]:
    """The first admin's secret, left where the first start wrote it."""
    path = case.settings.var_dir / "admin.env"
    if case.is_production and path.exists():
        yield warning(
            "first admin",
            f"The first admin's secret still lies in {path}.",
            "Keep it where your secrets are kept, and remove the file.",
        )
    else:
        yield good("first admin", "No secret of an admin lies about." if not path.exists() else f"It is in {path}.")


def _files(case: Case) -> list[Path]:
    settings = case.settings
    own = [settings.var_dir / "admin.env", *settings.secrets_dir.glob("*")]
    return [path for path in (*own, *secret_files()) if path.is_file()]


def _is_open(path: Path) -> bool:
    """Say whether others come as far as the file, and may read or write it: engines mount secrets as 0444."""
    path = path.resolve()
    mode = path.stat().st_mode
    is_reached = all(_is_passable(folder) for folder in path.parents)
    return bool(mode & stat.S_IWGRP or (is_reached and mode & (stat.S_IROTH | stat.S_IWOTH)))


def _is_passable(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)
