"""What the checks look at: the settings, the machine, and whether a stack runs."""

import fcntl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from msgspec import MsgspecError

from app.settings import Settings
from deploy.doctor.machine import Machine
from deploy.doorkeeper.door_record import read_record

DOORKEEPER: Final = "deploy.doorkeeper"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One configuration on one machine."""

    settings: Settings
    machine: Machine = field(default_factory=Machine)
    is_running: bool = False
    """Whether parts run in `var_dir`, started by `make run` or as services."""

    @property
    def is_production(self) -> bool:
        """Whether what may be excused while one develops is an error."""
        return self.settings.environment == "production"

    @property
    def is_open(self) -> bool:
        """Whether others than this machine can reach gunicorn."""
        return self.settings.host not in ("127.0.0.1", "::1", "localhost")


def parts_run(settings: Settings, machine: Machine) -> bool:
    """Say whether a stack runs, or a controller or a doorkeeper that something else keeps up."""
    locks = (settings.var_dir / "stack.lock", settings.run_dir / "controller.lock")
    return any(_is_held(lock) for lock in locks) or _keeps_door(settings.run_dir, machine)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # Nobody has been here, or not with our rights: the checks of folders tell.
        return False

    return False


def _keeps_door(run_dir: Path, machine: Machine) -> bool:
    try:
        record = read_record(run_dir)
    except (OSError, MsgspecError):
        return False

    # The number may be another process's by now.
    return record is not None and DOORKEEPER in (machine.text(f"/proc/{record.doorkeeper}/cmdline") or "")


def nearest_folder(path: Path) -> Path:
    """Return a folder, or the closest one above it that is there, as far as this user can see."""
    return next(folder for folder in (path, *path.parents) if _is_seen(folder))


def _is_seen(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except PermissionError:
        # One above it is closed, and that is the one to look at.
        return False


def local_folder(url: str) -> Path | None:
    """Return the folder that a setting names, as a path or a file:// URL; None where it is a bucket or the like."""
    path = url.removeprefix("file://")
    return None if "://" in path else Path(path)
