"""Imports only run downhill, and the web tier starts without the heavy parts."""

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.architecture.source import ROOT

LIST_HEAVY_MODULES = """
import sys
import wsgi
print(*sorted({"torch", "torchvision", "pyarrow", "sklearn", "workers"} & sys.modules.keys()))
"""


def test_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Check the contracts of setup.cfg; the report on a breach is import-linter's own."""
    monkeypatch.chdir(ROOT)

    status = lint_imports(config_filename=str(ROOT / "setup.cfg"), no_cache=True)

    assert status == 0, f"A contract of setup.cfg is broken.\n{capsys.readouterr().out}"


def test_web_tier_starts_without_heavy_modules(tmp_path: Path) -> None:
    """Import wsgi in a process of its own: neither torch nor pyarrow comes along."""
    environment = {"PATH": "/usr/bin:/bin", "VAR_DIR": str(tmp_path), "JWT_SECRET": "x" * 32}
    command = [sys.executable, "-c", LIST_HEAVY_MODULES]
    child = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert child.returncode == 0, f"import wsgi failed:\n{child.stderr}"
    assert child.stdout.split() == [], f"import wsgi pulls in {child.stdout}"
