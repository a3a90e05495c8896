"""Turns: in the order of arrival, after all that came was decided on, and nobody left behind or switched to twice."""

from collections.abc import Iterator
from itertools import chain

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from app.inference.turns import SLICE_S, Turns

Connections = list[tuple[socket.socket, socket.socket]]


@pytest.fixture
def connections() -> Iterator[Connections]:
    pairs = [socket.socketpair() for _ in range(40)]
    yield pairs
    for each in chain.from_iterable(pairs):
        each.close()


class WorkClock:
    """A clock that only work moves: what the hub did, in seconds of its processor."""

    def __init__(self) -> None:
        self.now = 0.0

    def work(self, seconds: float) -> None:
        """Do something that takes so long."""
        self.now += seconds

    def monotonic(self) -> float:
        """Return the seconds worked so far."""
        return self.now


def test_requests_begin_in_the_order_of_arrival() -> None:
    turns = Turns()
    begun: list[int] = []

    def request(number: int) -> None:
        turns.wait()
        begun.append(number)

    gevent.joinall([gevent.spawn(request, number) for number in range(50)])

    assert begun == list(range(50))
    assert len(turns) == 0


def test_clients_begin_in_turn() -> None:
    turns = Turns()
    begun: list[str] = []

    def request(client_id: str) -> None:
        turns.wait(client_id)
        begun.append(client_id)

    gevent.joinall([gevent.spawn(request, client_id) for client_id in "aaaaabbc"])

    assert "".join(begun) == "abcabaaa"


def test_all_that_came_are_decided_on_before_any_begins(connections: Connections) -> None:
    """40 requests at once, of which 8 may stay: refusals wait for decisions only, not for work of 0.6 ms each."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)
    refused_at: list[float] = []

    def request(server: socket.socket) -> None:
        server.recv(1)
        clock.work(0.0001)
        if len(turns) >= 8:
            refused_at.append(clock.now)
            return
        turns.wait()
        clock.work(0.0006)

    requests = [gevent.spawn(request, server) for server, _ in connections]
    gevent.sleep(0.01)
    for _, client in connections:
        client.send(b"?")
    gevent.joinall(requests)

    assert len(refused_at) == 32
    assert max(refused_at) == pytest.approx(40 * 0.0001)


def test_the_hub_looks_for_news_between_slices() -> None:
    """What comes while requests begin is seen after one slice, not after all of them."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)
    seen_at: list[float] = []

    def request() -> None:
        turns.wait()
        clock.work(SLICE_S / 4)

    requests = [gevent.spawn(request) for _ in range(40)]
    gevent.sleep(0)
    gevent.get_hub().loop.timer(0.0).start(lambda: seen_at.append(clock.now))
    gevent.joinall(requests)

    assert clock.now == pytest.approx(10 * SLICE_S)
    assert seen_at[0] <= SLICE_S


def test_refusals_do_not_take_all_the_time_there_is() -> None:
    """100 connections are refused again and again, half a millisecond each: without a share, 3 of 53 ms were left."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)

    def refused() -> None:
        while True:
            clock.work(0.0005)
            gevent.sleep(1e-6)

    def request() -> None:
        turns.wait()
        clock.work(0.001)

    requests = [gevent.spawn(request) for _ in range(200)]
    flood = [gevent.spawn(refused) for _ in range(100)]
    gevent.joinall(requests)
    gevent.killall(flood)

    assert 200 * 0.001 / clock.now > 0.25


def test_the_line_knows_how_long_it_takes() -> None:
    """Half of what the hub does per request is done outside of its turn."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)
    expected: list[tuple[float, float]] = []

    def request() -> None:
        joined_at, wait_s = clock.now, turns.wait_s
        turns.wait()
        expected.append((wait_s, clock.now - joined_at))
        clock.work(0.0005)
        gevent.sleep(0)
        clock.work(0.0005)

    for _ in range(2):
        gevent.joinall([gevent.spawn(request) for _ in range(100)])

    wait_s, waited_s = expected[-1]
    assert wait_s == pytest.approx(waited_s, rel=0.25)
    assert turns.wait_s == 0.0


def test_a_client_waits_for_as_many_of_each_as_of_its_own() -> None:
    """20 of one client, 2 of another, 1 ms each: a third one waits for its turn of three, the flood for all."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)
    waited: list[tuple[float, float]] = []

    def request(client_id: str) -> None:
        joined_at, wait_s = clock.now, turns.wait_s_of(client_id)
        turns.wait(client_id)
        waited.append((wait_s, clock.now - joined_at))
        clock.work(0.001)

    for _ in range(10):
        waited.clear()
        gevent.joinall([gevent.spawn(request, client_id) for client_id in (*"a" * 20, *"bb", "c")])

    third = waited[2]
    assert third == pytest.approx((0.003, 0.002), abs=0.0002)
    assert waited[-1] == pytest.approx((0.02, 0.022), rel=0.25)


def test_one_that_is_killed_while_it_waits_leaves_the_line() -> None:
    turns = Turns()
    begun: list[str] = []
    over = Event()

    def request(name: str) -> None:
        try:
            turns.wait()
        finally:
            over.wait()
        begun.append(name)

    first, second = gevent.spawn(request, "first"), gevent.spawn(request, "second")
    gevent.sleep(0)
    first.kill(block=False)
    while len(turns):
        gevent.sleep(0)
    over.set()
    gevent.joinall([first, second])

    assert begun == ["second"]


def test_a_timeout_ends_the_wait() -> None:
    turns = Turns()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0):
        turns.wait()

    gevent.spawn(turns.wait).get(timeout=5)


def test_a_stall_is_forgotten() -> None:
    """One turn of 1.5 s with others in line: what comes a second later is not to wait for that long again."""
    clock = WorkClock()
    turns = Turns(monotonic=clock.monotonic)

    def request(work_s: float) -> None:
        turns.wait()
        clock.work(work_s)

    gevent.joinall([gevent.spawn(request, work_s) for work_s in (1.5, 0.001, 0.001, 0.001)])
    clock.work(2.0)
    waits: list[float] = []

    def look() -> None:
        waits.append(turns.wait_s)
        turns.wait()

    gevent.joinall([gevent.spawn(look) for _ in range(4)])

    assert max(waits) < 0.01


def test_what_one_raises_keeps_nobody_waiting() -> None:
    turns = Turns()
    begun: list[int] = []

    def request(number: int) -> None:
        turns.wait()
        begun.append(number)

    first = gevent.spawn(turns.wait)
    rest = [gevent.spawn(request, number) for number in range(3)]
    gevent.sleep(0)
    first.kill()
    gevent.joinall(rest, timeout=5)

    assert begun == [0, 1, 2]
