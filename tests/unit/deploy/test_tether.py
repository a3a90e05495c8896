"""A tethered command ends with its parent."""

import signal
import subprocess
import sys

import psutil
import pytest

from tests.factories.waiting import wait_until

PARENT = """
import subprocess, sys
child = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
subprocess.Popen([sys.executable, "-m", "deploy.tether", *child])
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux only")
def test_command_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_command_takes_over_the_process() -> None:
    command = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    result = subprocess.run([sys.executable, "-m", "deploy.tether", *command], check=False)

    assert result.returncode == -signal.SIGKILL


def test_missing_command_is_named() -> None:
    result = subprocess.run([sys.executable, "-m", "deploy.tether"], check=False, capture_output=True, text=True)

    assert result.returncode == 1
    assert "needs a command" in result.stderr
