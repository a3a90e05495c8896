"""What a stack writes before its first process starts: folders, the signing key, the lock against a second stack."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from deploy.stack.errors import CannotStart

SERVICES = ("web", "controller", "runners", "celery")


def make_folders(settings: Settings) -> None:
    """Make every folder that the parts expect; secrets and sockets are this user's alone."""
    for name in ("log", "redis", "celery"):
        (settings.var_dir / name).mkdir(parents=True, exist_ok=True)
    for private in (settings.run_dir, settings.secrets_dir):
        private.mkdir(parents=True, exist_ok=True)
        private.chmod(0o700)


def clear_metrics(settings: Settings) -> None:
    """Start all counters at zero. Only while no part of the stack is alive."""
    shutil.rmtree(settings.metrics_dir, ignore_errors=True)
    for service in SERVICES:
        (settings.metrics_dir / service).mkdir(parents=True)


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
