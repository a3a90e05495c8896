"""Outside parts that some tests want: a test is skipped where one is missing, but never in CI."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def needed(binary: str, *, package: str) -> Path:
    """Return the path of a program, or skip the test; in CI its absence is a failure."""
    path = shutil.which(binary)
    if path is not None:
        return Path(path)

    return _missing(f"{binary} is missing (Debian: apt install {package})")


def needed_script(name: str) -> Path:
    """Return the path of a program that a package of the extra `test` brings, or skip the test; in CI it is there."""
    path = Path(sys.executable).parent / name
    return path if path.exists() else _missing(f"{name} is missing (make install)")


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
