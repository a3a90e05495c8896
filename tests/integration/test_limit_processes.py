"""One limit counted by several processes over one Redis: together they allow it, and not one hit more."""

import subprocess
import sys

import msgspec
import pytest

from tests.factories.limit_process import Tally, add_up
from tests.factories.redis_server import RedisServer

pytestmark = pytest.mark.long

SECONDS = 3.5
TOLERANCE = 0.05


def run_processes(server: RedisServer, amount: int, rates: list[float]) -> list[Tally]:
    """Make hits of one limit in processes at these rates; return the tallies of all windows but first and last."""
    command = [sys.executable, "-m", "tests.factories.limit_process", server.url, str(amount)]
    processes = [subprocess.Popen([*command, str(rate), str(SECONDS)], stdout=subprocess.PIPE) for rate in rates]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    windows = add_up([tally for output in outputs for tally in msgspec.json.decode(output, type=list[Tally])])
    # Of these two the processes did not see all.
    return windows[1:-1]


def check(windows: list[Tally], amount: int) -> None:
    """Hold what was allowed against the limit."""
    assert windows
    for window in windows:
        assert window.allowed <= amount
        assert window.allowed >= (1 - TOLERANCE) * min(amount, window.made)


@pytest.mark.parametrize("amount", [10, 399, 5000, 20_000])
def test_processes_allow_a_limit_within_five_percent(redis_server: RedisServer, amount: int) -> None:
    """Half as much again is offered, most of it to one of four."""
    check(run_processes(redis_server, amount, [share * amount for share in (0.8, 0.4, 0.2, 0.1)]), amount)


@pytest.mark.parametrize("amount", [50, 400, 1000, 2000, 10_000])
def test_processes_allow_other_limits_too(redis_server: RedisServer, amount: int) -> None:
    check(run_processes(redis_server, amount, [share * amount for share in (0.8, 0.4, 0.2, 0.1)]), amount)


def test_what_idle_processes_hold_back_is_little(redis_server: RedisServer) -> None:
    check(run_processes(redis_server, 5000, [7000.0] + [30.0] * 5), 5000)


def test_below_the_limit_nobody_is_refused(redis_server: RedisServer) -> None:
    windows = run_processes(redis_server, 5000, [800.0, 800.0, 20.0])

    assert windows
    assert [window.allowed for window in windows] == [window.made for window in windows]
