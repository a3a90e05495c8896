"""One socket to one runner: what it does when the runner ends, and with answers that make no sense."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

import gevent
import pytest
import zmq.green as zmq
from zmq.utils import garbage

from app.errors import Draining, RunnerLost
from app.inference.connection import COPIED_BYTES, Reply, RunnerConnection
from app.inference.messages import InferReply, InferRequest, RunnerLoad, RunnerRequest
from tests.factories.waiting import wait_until
from tests.fakes.runner import Answer, FakeRunner

Connect = Callable[[FakeRunner], RunnerConnection]
call_ids = itertools.count(1)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect to fake runners."""
    context = zmq.Context()
    connections: list[RunnerConnection] = []

    def connect(runner: FakeRunner) -> RunnerConnection:
        connections.append(RunnerConnection(context, runner.address))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()
    context.destroy(linger=0)


def call(connection: RunnerConnection, row: bytes = b"ab") -> Reply:
    request = InferRequest(call_id=next(call_ids), deadline=time.monotonic() + 10)
    return connection.call(request, [row])


def never(_request: RunnerRequest, _rows: Sequence[bytes]) -> Answer:
    return None


def lose(runner: FakeRunner, connection: RunnerConnection) -> None:
    runner.close()
    wait_until(lambda: connection.is_lost, sleep=gevent.sleep)


def test_rows_in_flight_are_counted(start_runner: Callable[[str], FakeRunner], connect: Connect) -> None:
    runner = start_runner("a")
    runner.answer = never
    connection = connect(runner)
    waiting = gevent.spawn(call, connection)
    wait_until(lambda: runner.requests, sleep=gevent.sleep)
    assert connection.rows_in_flight == 1

    lose(runner, connection)

    with pytest.raises(RunnerLost):
        waiting.get(timeout=5)
    assert connection.rows_in_flight == 0


def test_lost_connection_is_not_used_again(start_runner: Callable[[str], FakeRunner], connect: Connect) -> None:
    runner = start_runner("a")
    connection = connect(runner)
    call(connection)
    lose(runner, connection)

    with pytest.raises(RunnerLost):
        call(connection)
    assert not connection.is_usable


def test_a_connection_that_cannot_hear_is_given_up(
    start_runner: Callable[[str], FakeRunner],
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = start_runner("a")
    runner.answer = busy
    connection = connect(runner)
    monkeypatch.setattr(connection.outlook, "told", mock.Mock(side_effect=KeyError))

    assert call(connection).rows == [b"ab"]
    with pytest.raises(RunnerLost):
        call(connection)
    assert not connection.is_usable
    assert "cannot be received" in caplog.text


def busy(request: RunnerRequest, rows: Sequence[bytes]) -> Answer:
    load = RunnerLoad(queued_rows=1, computing_rows=0, clients=1, row_cost_s=0.5)
    return InferReply(call_id=request.call_id, load=load), list(rows)


def test_request_that_a_draining_runner_left_unanswered_was_never_begun(
    start_runner: Callable[[str], FakeRunner], connect: Connect
) -> None:
    runner = start_runner("a")
    runner.answer = never
    connection = connect(runner)
    waiting = gevent.spawn(call, connection)
    wait_until(lambda: runner.requests, sleep=gevent.sleep)
    connection.is_draining = True

    runner.close()

    with pytest.raises(Draining):
        waiting.get(timeout=5)


def test_last_answers_of_a_runner_that_ends_are_read(
    start_runner: Callable[[str], FakeRunner], connect: Connect
) -> None:
    runner = start_runner("a")
    connection = connect(runner)
    waiting = [gevent.spawn(call, connection, b"row-%d" % number) for number in range(50)]
    gevent.sleep(0)
    # Blocks the hub until all answers and the end wait in the sockets.
    wait_until(lambda: len(runner.requests) == 50)
    runner.close()

    assert [each.get(timeout=5).rows for each in waiting] == [[(b"row-%d" % number)[::-1]] for number in range(50)]


@pytest.mark.parametrize(("size", "kind"), [(0, bytes), (COPIED_BYTES, bytes), (COPIED_BYTES + 1, memoryview)])
def test_large_rows_are_not_copied_there_and_back(
    start_runner: Callable[[str], FakeRunner], connect: Connect, size: int, kind: type[bytes | memoryview]
) -> None:
    row = random.Random(size).randbytes(size)

    (answer,) = call(connect(start_runner("a")), row).rows

    assert isinstance(answer, kind)
    assert bytes(answer) == row[::-1]
    # The thread that lets go of what was sent lives as long as the process, elsewhere.
    garbage.gc.stop()


def test_answer_to_nobody_is_dropped(start_runner: Callable[[str], FakeRunner], connect: Connect) -> None:
    runner = start_runner("a")
    runner.answer = lambda request, rows: (InferReply(call_id=request.call_id + len(runner.requests) - 2), list(rows))
    connection = connect(runner)
    first = gevent.spawn(call, connection)
    wait_until(lambda: runner.requests, sleep=gevent.sleep)

    assert call(connection).rows == [b"ab"]
    assert not first.ready()
    first.kill()
