"""Processes that another controller started."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from workers.controller.runner_process import RunnerProcess, read_start_ticks

NO_PID = 2**22 + 1


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps until it is told to end."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def has_ended(process: RunnerProcess, timeout_s: float) -> bool:
    return bool(select.select([process], [], [], timeout_s)[0])


def test_living_process_is_adopted(child: subprocess.Popen[bytes]) -> None:
    process = RunnerProcess.adopt(child.pid, read_start_ticks(child.pid))

    assert process is not None
    assert process.pid == child.pid
    assert not has_ended(process, 0)
    process.close()


def test_dead_process_is_not_adopted() -> None:
    assert RunnerProcess.adopt(NO_PID, 1) is None


def test_another_process_of_the_same_pid_is_not_adopted(child: subprocess.Popen[bytes]) -> None:
    assert RunnerProcess.adopt(child.pid, read_start_ticks(child.pid) + 1) is None


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_end_of_an_adopted_process_is_seen(child: subprocess.Popen[bytes], how: str) -> None:
    process = RunnerProcess.adopt(child.pid)
    assert process is not None

    getattr(process, how)()

    assert has_ended(process, 10)
    assert process.close() == "it ended"


def test_ended_process_may_be_told_to_end(child: subprocess.Popen[bytes]) -> None:
    process = RunnerProcess.adopt(child.pid)
    assert process is not None
    child.kill()
    child.wait()

    process.terminate()
    process.kill()

    assert has_ended(process, 0)
    process.close()


def test_start_time_tells_processes_apart(child: subprocess.Popen[bytes]) -> None:
    assert read_start_ticks(child.pid) >= read_start_ticks(os.getpid()) > 0
    assert read_start_ticks(NO_PID) == 0
