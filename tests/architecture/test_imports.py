"""Imports only run downhill, and the web tier starts without the heavy parts."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.architecture.source import ROOT

LIST_HEAVY_MODULES = """
import sys
import wsgi
print(*sorted({"torch", "torchvision", "pyarrow", "sklearn", "workers"} & sys.modules.keys()))
"""


def test_contracts_hold() -> None:
    """Check the contracts of setup.cfg; the report on a breach is import-linter's own.

    In a process of its own: the command configures logging, which would silence the tests that follow.
    """
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    child = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert child.returncode == 0, f"A contract of setup.cfg is broken.\n{child.stdout}{child.stderr}"


def test_web_tier_starts_without_heavy_modules(tmp_path: Path) -> None:
    """Import wsgi in a process of its own: neither torch nor pyarrow comes along."""
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": tempfile.gettempdir()}
    environment |= {"VAR_DIR": str(tmp_path), "JWT_SECRET": "x" * 32}
    command = [sys.executable, "-c", LIST_HEAVY_MODULES]
    child = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert child.returncode == 0, f"import wsgi failed:\n{child.stderr}"
    assert child.stdout.split() == [], f"import wsgi pulls in {child.stdout}"
