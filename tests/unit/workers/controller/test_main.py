"""The controller as a process: its lock and its settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.early_signals import status_after_early_hangup
from tests.factories.settings import make_settings
from workers.controller.__main__ import main, take_lock

ROOT = Path(__file__).parents[4]


def test_only_one_controller_holds_the_lock(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, run_dir=tmp_path)
    first = take_lock(settings)
    assert first is not None
    assert take_lock(settings) is None

    first.close()

    second = take_lock(settings)
    assert second is not None
    second.close()


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HEARTBEAT_S", "often")

    assert main() == 2
    assert "HEARTBEAT_S" in capsys.readouterr().err


def test_hangup_during_the_imports_does_not_end_it(tmp_path: Path) -> None:
    assert status_after_early_hangup("workers.controller", VAR_DIR=str(tmp_path), HEARTBEAT_S="often") == 2


def test_controller_is_free_of_torch() -> None:
    program = "import sys, workers.controller.__main__; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT).returncode == 0
