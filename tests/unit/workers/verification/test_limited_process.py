"""The limited process takes with it whatever it started."""

import subprocess
import sys

import psutil

from tests.factories.waiting import wait_until
from workers.verification.limited_process import end_session

STARTS_ANOTHER = """
import subprocess
other = subprocess.Popen(["sleep", "60"])
print(other.pid, flush=True)
other.wait()
"""


def test_what_the_process_started_ends_with_it() -> None:
    command = [sys.executable, "-c", STARTS_ANOTHER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        other = psutil.Process(int(process.stdout.readline()))
        end_session(process)

    wait_until(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE)


def test_a_process_that_is_gone_is_let_be() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    end_session(process)
