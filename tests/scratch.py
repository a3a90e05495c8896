"""Where tests keep their files: in folders of this run alone, and in memory where there is room for them.

Tests commit tens of thousands of times, and each commit may wait for the disk for milliseconds: so pytest's folders are
in memory in runs without the long tests, whose files are gigabytes. Everything else that is made for a while, such as
the folders of sockets (`app.run_dir`), goes with the run: their names follow from pytest's, which the next run repeats.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30
SHORT = "not long"
ROOT_VARIABLE = "PYTEST_DEBUG_TEMPROOT"
TEMP_VARIABLE = "TMPDIR"
# Short: the paths of Unix sockets lie below it.
PREFIX = "gt-"
TEMP_KEY = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest make its folders there, unless the environment or the command says where; and all else apart."""
    if config.option.markexpr == SHORT and has_room(MEMORY):
        os.environ.setdefault(ROOT_VARIABLE, str(MEMORY))
    if not hasattr(config, "workerinput"):
        config.stash[TEMP_KEY] = _take_own_temp()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what was made for this run, in the process that began it."""
    own = config.stash.get(TEMP_KEY, None)
    if own is not None:
        os.environ[TEMP_VARIABLE] = tempfile.tempdir = str(own.parent)
        shutil.rmtree(own, ignore_errors=True)


def has_room(folder: Path) -> bool:
    """Say whether a folder can take the files of a whole run: a container's is often of 64 MiB."""
    return folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= ROOM_BYTES


def _take_own_temp() -> Path:
    # pytest keeps the folders of failed tests where the next run finds them: outside.
    os.environ.setdefault(ROOT_VARIABLE, tempfile.gettempdir())
    own = Path(tempfile.mkdtemp(prefix=PREFIX))
    # PostgreSQL runs as a user of its own, in a folder below.
    own.chmod(0o711)
    os.environ[TEMP_VARIABLE] = tempfile.tempdir = str(own)
    return own
