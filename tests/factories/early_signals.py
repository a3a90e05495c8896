"""A process that is told to reload before it has imported what it needs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.factories.stack import ROOT
from tests.factories.waiting import wait_until

HANGUP = 1 << (signal.SIGHUP - 1)


def status_after_early_hangup(*command: str, **variables: str) -> int:
    """Run a module, send it SIGHUP as soon as it may have it; return how it ended."""
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **variables})
    try:
        wait_until(lambda: _blocked(process.pid) & HANGUP or process.poll() is not None)
        assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        return process.wait(30)
    finally:
        process.kill()


def _blocked(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk:"))
