"""Outside parts that some tests want: a test is skipped where one is missing, but never in CI."""

import os
import shutil
from pathlib import Path

import pytest


def needed(binary: str, *, package: str) -> Path:
    """Return the path of a program, or skip the test; in CI its absence is a failure."""
    path = shutil.which(binary)
    if path is not None:
        return Path(path)

    reason = f"{binary} is missing (Debian: apt install {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
