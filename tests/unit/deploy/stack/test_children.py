"""No process is lost, whatever becomes of its parent. Each test is a launcher of its own, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.factories.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")


def _launcher(*body: str) -> str:
    lines = [
        "import subprocess, sys",
        "from deploy.stack.children import Children",
        "from deploy.stack.errors import StopRequested",
        "def sleeper(before='pass'):",
        "    imports = 'import os, signal, subprocess, sys, time'",
        "    code = f'{imports}; {before}; print(os.getpid(), flush=True); time.sleep(600)'",
        "    return [sys.executable, '-c', code]",
        "with Children() as children:",
        *(f"    {line}" for line in body),
    ]
    return "\n".join(lines)


@contextmanager
def _running(script: str) -> Iterator["subprocess.Popen[str]"]:
    launcher = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        yield launcher
    finally:
        launcher.kill()
        launcher.communicate()


def _read_pid(launcher: "subprocess.Popen[str]") -> int:
    assert launcher.stdout is not None
    return int(launcher.stdout.readline())


WAIT_FOR_STOP = (
    "try:",
    "    children.wait(lambda: False, 60)",
    "except StopRequested:",
    "    pass",
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop_signal_ends_the_children(number: signal.Signals) -> None:
    with _running(_launcher("children.start(sleeper())", *WAIT_FOR_STOP)) as launcher:
        child = _read_pid(launcher)
        launcher.send_signal(number)

        assert launcher.wait(20) == 0
        assert not psutil.pid_exists(child)


def test_child_that_ignores_the_request_is_killed() -> None:
    stubborn = "children.start(sleeper('signal.signal(signal.SIGTERM, signal.SIG_IGN)'))"
    speed_up = "import deploy.stack.children as module; module.SWEEP_S = 0.3"
    with _running(_launcher(speed_up, stubborn, *WAIT_FOR_STOP)) as launcher:
        child = _read_pid(launcher)
        launcher.terminate()

        assert launcher.wait(20) == 0
        assert not psutil.pid_exists(child)


def test_orphan_of_a_killed_child_is_ended() -> None:
    grandchild = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"
    with _running(_launcher(f'children.start(sleeper("{grandchild}"))', *WAIT_FOR_STOP)) as launcher:
        child = _read_pid(launcher)
        [orphan] = psutil.Process(child).children()
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: orphan.ppid() == launcher.pid)
        launcher.terminate()

        assert launcher.wait(20) == 0
        assert not orphan.is_running()


def test_ended_orphan_stays_no_zombie() -> None:
    grandchild = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)"
    with _running(_launcher(f'children.start(sleeper("{grandchild}"))', *WAIT_FOR_STOP)) as launcher:
        child = _read_pid(launcher)
        [orphan] = psutil.Process(child).children()
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: orphan.ppid() == launcher.pid)
        orphan.kill()

        wait_until(lambda: not psutil.pid_exists(orphan.pid))


def test_children_end_when_the_launcher_is_killed() -> None:
    with _running(_launcher("children.start(sleeper())", *WAIT_FOR_STOP)) as launcher:
        child = _read_pid(launcher)
        launcher.kill()

        wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_exit_status_of_a_child_is_kept(tmp_path: Path) -> None:
    body = (
        "child = children.start([sys.executable, '-c', 'import sys; sys.exit(7)'])",
        "assert children.wait(lambda: child.poll() is not None, 20)",
        "print(child.returncode, flush=True)",
    )
    with _running(_launcher(*body)) as launcher:
        assert _read_pid(launcher) == 7


def test_wait_says_when_the_time_is_over() -> None:
    with _running(_launcher("print(int(children.wait(lambda: False, 0.05)), flush=True)")) as launcher:
        assert _read_pid(launcher) == 0
