"""The audit tells parts that are vulnerable from a database that nobody reached."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import ROOT

KNOWN = [{"name": f"part{number}", "version": "1", "vulns": []} for number in range(20)]
UNKNOWN = [{"name": f"part{number}", "skip_reason": "Dependency not found on PyPI"} for number in range(20)]
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}


def audit(folder: Path, answer: str) -> tuple[int, str]:
    """Run the audit with a module in place of pip-audit that gives this answer."""
    (folder / "pip_audit.py").write_text(f"print({answer!r})")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, str(ROOT / ".ci" / "audit.py")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return result.returncode, result.stdout


@pytest.mark.parametrize(
    ("parts", "status", "word"),
    [
        (KNOWN, 0, "20 parts audited, 0 vulnerable; unknown: none."),
        ([*KNOWN, UNKNOWN[0]], 0, "20 parts audited, 0 vulnerable; unknown: part0."),
        ([*KNOWN, BAD], 1, "bad 2: PYSEC-1, mended in 3"),
        (UNKNOWN, 3, "NOT AUDITED"),
    ],
)
def test_what_is_found_is_told_by_the_exit_status(tmp_path: Path, parts: list[Any], status: int, word: str) -> None:
    found, said = audit(tmp_path, json.dumps({"dependencies": parts}))

    assert (found, word in said) == (status, True), said


def test_no_answer_is_no_verdict(tmp_path: Path) -> None:
    assert audit(tmp_path, "no JSON")[0] == 3
