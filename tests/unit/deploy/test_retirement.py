"""When a web worker makes way: after enough requests, and not before its successor had time to start."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from deploy.retirement import HANDOVER_S, Retirement, give_place_back
from tests.factories.served_connections import serving
from tests.factories.web import WebWorker
from tests.fakes.clock import FakeClock


@pytest.fixture
def calls() -> Iterator[list[int]]:
    """The signals that this process, in the place of the master's worker, sends its parent; none gets there."""
    sent: list[int] = []
    before = signal.signal(signal.SIGTTIN, lambda number, _frame: sent.append(number))
    yield sent
    signal.signal(signal.SIGTTIN, before)


@pytest.fixture
def own_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process be its own master."""
    monkeypatch.setattr(os, "getppid", os.getpid)


@pytest.mark.usefixtures("own_child")
def test_a_successor_is_called_once_and_has_time_to_start(calls: list[int]) -> None:
    clock = FakeClock()
    retirement = Retirement(most_requests=10, master_pid=os.getpid(), clock=clock.clock())

    assert not retirement.is_due(9)
    assert calls == []
    assert not retirement.is_due(10)
    clock.advance(HANDOVER_S - 0.1)
    assert not retirement.is_due(11)
    clock.advance(0.2)
    assert retirement.is_due(12)
    assert calls == [signal.SIGTTIN]


@pytest.mark.parametrize("served", [0, 1])
def test_an_orphan_is_due_at_once_and_calls_nobody(calls: list[int], served: int) -> None:
    retirement = Retirement(most_requests=1, master_pid=os.getpid())

    assert retirement.is_due(served)
    assert calls == []


def test_an_orphan_does_not_exit_under_its_requests(worker: WebWorker) -> None:
    with serving(worker) as served:
        served.worker.ppid = os.getpid()
        served.worker.notify()


@pytest.mark.parametrize(("before", "after"), [(3, 2), (2, 2), (1, 1)])
def test_the_place_of_a_worker_that_ended_goes_to_its_successor(before: int, after: int) -> None:
    server = SimpleNamespace(num_workers=before)
    give_place_back(server, usual=2)

    assert server.num_workers == after
