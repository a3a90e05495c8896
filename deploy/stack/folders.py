"""What a stack writes before its first process starts: folders, the signing key, the lock against a second stack."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.settings import Settings
from deploy.stack.errors import CannotStart

SERVICES = ("web", "controller", "runners", "celery")


def make_folders(settings: Settings) -> None:
    """Make every folder that the parts expect; secrets and sockets are this user's alone."""
    _drop_dangling_link(settings.var_dir / "run")
    for name in ("log", "redis", "celery"):
        (settings.var_dir / name).mkdir(parents=True, exist_ok=True)
    for private in (settings.run_dir, settings.secrets_dir):
        private.mkdir(parents=True, exist_ok=True)
        private.chmod(0o700)
    _link_run_dir(settings)


def _drop_dangling_link(link: Path) -> None:
    """Let go of a link to where the sockets of a longer path were, before this folder was moved."""
    if link.is_symlink() and not link.exists():
        link.unlink()


def _link_run_dir(settings: Settings) -> None:
    """Point `var_dir/run` at the sockets where these had to lie elsewhere: people and documents look for them there."""
    link = settings.var_dir / "run"
    if settings.run_dir == link or (link.exists() and not link.is_symlink()):
        return

    link.unlink(missing_ok=True)
    link.symlink_to(settings.run_dir)


def clear_metrics(settings: Settings) -> None:
    """Start all counters at zero. Only while no part of the stack is alive."""
    shutil.rmtree(settings.metrics_dir, ignore_errors=True)
    make_metrics_folders(settings)


def make_metrics_folders(settings: Settings) -> None:
    """Make a folder for what each service counts; what was counted before stays."""
    for service in SERVICES:
        (settings.metrics_dir / service).mkdir(parents=True, exist_ok=True)


def drop_metrics_of_earlier_boots(settings: Settings) -> None:
    """Let go of what was counted before this machine started: all whose files those are have ended."""
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for path in settings.metrics_dir.glob("*/*.db"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < booted_at:
                path.unlink()


def write_secret(path: Path) -> None:
    """Make up a signing key that only this user can read; one that is already there stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return

    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")


@contextmanager
def only_stack(var_dir: Path) -> Iterator[int]:
    """Hold the folder's lock and yield its descriptor: whoever inherits that holds the lock too.

    The kernel lets go of it when the last holder ends, however it ends.

    :raises CannotStart: when another stack holds it.
    """
    with (var_dir / "stack.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise CannotStart(
                f"A stack runs in {var_dir} already, or has not quite ended; stop it, or set VAR_DIR to another folder."
            ) from err
        yield file.fileno()
