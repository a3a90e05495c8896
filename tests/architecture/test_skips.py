"""A test that was skipped for a missing part fails the whole run in CI, however the test said so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.skips import NO_MOUNT, unexpected

SKIPS_ONE = """
import pytest
def test_whole(): pass
def test_part(): pytest.importorskip("no_such_part")
"""


def skipped(reason: str) -> pytest.TestReport:
    where = ("test_it.py", 1, f"Skipped: {reason}")
    return pytest.TestReport("test_it.py::test_it", where, {}, "skipped", where, "setup")


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "xdist"])
def test_a_skip_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "test_parts.py").write_text(SKIPS_ONE)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.skips", "-c", os.devnull, *options, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == pytest.ExitCode.TESTS_FAILED, result.stdout
    assert "which CI takes for failures" in result.stdout
    assert "could not import 'no_such_part'" in result.stdout


@pytest.mark.parametrize(
    ("reason", "environment", "is_excused"),
    [
        ("no chromium on PATH", {}, True),
        ("no chromium on PATH", {"CI": "true"}, False),
        ("GALLEY_DATA is not set", {"CI": "true"}, True),
        ("GALLEY_DATA lacks a folder", {"CI": "true", "GALLEY_DATA": "/data"}, False),
    ],
)
def test_only_missing_data_excuses_in_ci(reason: str, environment: dict[str, str], is_excused: bool) -> None:
    assert (unexpected([skipped(reason)], environment) == []) is is_excused


def test_a_disk_that_nobody_may_mount_is_excused() -> None:
    assert unexpected([skipped(f"{NO_MOUNT}: permission denied")], {"CI": "true", "GALLEY_DATA": "here"}) == []
