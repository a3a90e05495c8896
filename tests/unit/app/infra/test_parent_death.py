"""A process that is tied to its parent ends with it."""

import subprocess
import sys

import psutil
import pytest

from tests.factories.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux only")

CHILD = """
import os, sys, time
from app.infra.parent_death import end_with_parent
end_with_parent(int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid())
print(os.getpid(), flush=True)
time.sleep(600)
"""
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); sys.stdin.read()"


def test_child_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT, CHILD]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()

    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_parent_that_is_gone_already_is_noticed() -> None:
    result = subprocess.run([sys.executable, "-c", CHILD, "1"], check=False, capture_output=True, timeout=30)

    assert result.returncode != 0
    assert result.stdout == b""
