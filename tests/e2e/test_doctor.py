"""The doctor beside a running stack: it finds the stack's own parts, and nothing wrong with them."""

import json
import subprocess
import sys

import pytest

from tests.factories.stack import ROOT, Stack

pytestmark = pytest.mark.long


def test_a_running_stack_is_found_well(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.doctor", "--json"]
    result = subprocess.run(command, cwd=ROOT, env=stack.environment, check=False, capture_output=True, text=True)
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}

    assert result.returncode == 0, result.stdout
    assert "is ready" in findings["port"]["says"]
    assert findings["schema"]["verdict"] == "ok"
    own = "redis (REDIS_URL and STATE_REDIS_URL)"
    assert {findings[f"{own}{part}"]["verdict"] for part in ("", ": role", ": persistence", ": whose")} == {"ok"}
