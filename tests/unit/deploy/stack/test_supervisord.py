"""supervisord lives on where neither its logs nor its stderr take a byte."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.stack.supervisord import PatientStream
from tests.factories.waiting import wait_until

FULL = Path("/dev/full")
LINES = 20
# The program says something, and then notes that it lived to do so.
CONFIG = """
[supervisord]
nodaemon=true
silent=true
logfile=/dev/full
logfile_maxbytes=0
pidfile=pid

[program:chat]
command=sh -c 'while echo said; do echo noted >> notes; sleep 0.02; done'
startsecs=0
autorestart=false
redirect_stderr=true
stdout_logfile=/dev/full
stdout_logfile_maxbytes=0
"""


def noted(folder: Path) -> int:
    notes = folder / "notes"
    return len(notes.read_text().splitlines()) if notes.exists() else 0


@pytest.mark.skipif(not FULL.exists(), reason="Only Linux has a device that is always full.")
def test_a_full_disk_ends_neither_supervisord_nor_what_it_keeps_up(tmp_path: Path) -> None:
    (tmp_path / "supervisord.conf").write_text(CONFIG)
    command = [sys.executable, "-m", "deploy.stack.supervisord", "--configuration", "supervisord.conf"]
    root = Path(__file__).resolve().parents[4]
    with FULL.open("wb") as nowhere:
        process = subprocess.Popen(command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, stdout=nowhere, stderr=nowhere)
    try:
        wait_until(lambda: noted(tmp_path) >= LINES or process.poll() is not None, timeout_s=60)
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(60)


def test_what_can_be_written_is(tmp_path: Path) -> None:
    with PatientStream((tmp_path / "said").open("wb", buffering=0), write_through=True) as stream:
        print("something", file=stream, flush=True)

    assert (tmp_path / "said").read_text() == "something\n"
