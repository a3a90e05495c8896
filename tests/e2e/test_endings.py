"""However a stack ends, it leaves no process; and two of them do not meet."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from app.run_dir import short_run_dir
from tests.e2e.test_faults import loaded
from tests.factories.stack import ROOT, Stack, classify, is_ready, running_stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long


def alive(processes: list[psutil.Process], timeout_s: float) -> list[str]:
    """Wait for processes to end; name those that have not."""
    _, left = psutil.wait_procs(processes, timeout=timeout_s)
    return [str(process) for process in left if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_signal_ends_everything(stack: Stack, number: signal.Signals) -> None:
    with running_stack(like=stack) as other:
        processes = other.processes()

        assert other.stop(number) == 0
        assert alive(processes, 10) == []
        assert not (short_run_dir(other.var_dir) / "redis.sock").exists()


def test_killed_launcher_takes_everything_with_it(stack: Stack) -> None:
    with running_stack(like=stack) as other:
        processes = other.processes()
        other.stop(signal.SIGKILL)

        assert alive(processes, 60) == []


def test_killed_supervisord_is_started_again_and_nothing_is_doubled(stack: Stack) -> None:
    with running_stack(like=stack) as other:
        # One that dies right after its start would be taken for one that cannot live.
        supervisord = other.find("stack.supervisord")[0]
        wait_until(lambda: time.time() - supervisord.create_time() > 11)
        before = other.processes()[1:]
        supervisord.kill()
        wait_until(lambda: "starting everything again" in other.said())
        wait_until(lambda: is_ready(other), timeout_s=60)

        # Those of before finish what they hold, and one of them may have said that all is ready.
        assert alive(before, 60) == []
        assert other.stop() == 0


def test_stop_under_load_loses_no_request(stack: Stack) -> None:
    with running_stack(like=stack) as other, loaded(other) as load:
        assert other.stop(signal.SIGTERM) == 0

    assert load.unanswered() == []
    assert load.careless() == []
    assert set(load.statuses()) <= {200, 503, 0}


def test_two_copies_run_side_by_side(stack: Stack) -> None:
    with running_stack(like=stack) as other, other.client() as client:
        assert classify(client, other.picture.read_bytes()).status_code == 200
        assert not {process.pid for process in stack.processes()} & {process.pid for process in other.processes()}
        assert other.stop() == 0

    assert is_ready(stack)


def test_second_stack_in_the_same_folder_is_refused(stack: Stack) -> None:
    command = [sys.executable, "-m", "deploy.stack", "run"]
    result = subprocess.run(command, cwd=ROOT, env=stack.environment, check=False, capture_output=True, text=True)

    assert result.returncode == 2
    assert "A stack runs in" in result.stderr
    assert is_ready(stack)
