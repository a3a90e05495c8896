"""Load over WebSockets: many sockets in one thread, some of which always have events in flight, others idle."""

import gc
import math
import select
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.load.socket_client import PATIENCE_S, EventSocket, SocketClosed
from tests.load.socket_tally import SocketReport, SocketTally, report_of
from tests.load.stream_payments import Payers, Payments

STEP_S: Final = 0.05
# How long all sockets together may take to end.
ENDING_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How many events each socket keeps in flight, for so many seconds or until so many were sent by all."""

    in_flight: int
    seconds: float = math.inf
    count: float = math.inf


@dataclass(frozen=True, kw_only=True)
class StreamTarget:
    """Where sockets connect, and whose they are in turn: a client may have only so many."""

    url: str
    path: str
    tokens: Sequence[str] = ("",)


class _Drivers:
    """The sockets that send, and how much they still may."""

    def __init__(self, sockets: Sequence[EventSocket], pace: Pace) -> None:
        self._sockets = frozenset(sockets)
        self._in_flight = pace.in_flight
        self._left = pace.count
        self._end = time.monotonic() + pace.seconds

    @property
    def are_sending(self) -> bool:
        """Whether there is anything left to send."""
        return self._left > 0 and time.monotonic() < self._end

    def send(self, each: EventSocket) -> None:
        """Let a socket send what it may."""
        if each in self._sockets and self.are_sending:
            self._left -= each.send_up_to(self._in_flight, most=self._left)


class Fleet:
    """Open sockets. Whoever has no events in flight is idle, and is attended to while others are driven."""

    def __init__(self, target: StreamTarget) -> None:
        self._target = target
        self._ready = select.epoll()
        self._sockets: dict[int, EventSocket] = {}

    def open(self, names: Iterable[str], payers: Payers) -> list[EventSocket]:
        """Connect a socket per name, one after the other."""
        tokens = self._target.tokens
        return [self._opened(name, payers, tokens[place % len(tokens)]) for place, name in enumerate(names)]

    def drive(self, sockets: Sequence[EventSocket], pace: Pace) -> SocketReport:
        """Keep events in flight, then wait for the last answers; what has none by then failed as well."""
        there = [each for each in sockets if each.fileno() in self._sockets]
        tally, drivers = SocketTally(), _Drivers(there, pace)
        if len(there) < len(sockets):
            tally.failed["closed before"] += len(sockets) - len(there)
        with _undisturbed():
            began, cpu_before = time.monotonic(), time.process_time()
            for each in there:
                drivers.send(each)
            while drivers.are_sending and self._sockets:
                self._attend(tally, drivers)
            self._wait_for_answers(there, tally)
            seconds, cpu_s = time.monotonic() - began, time.process_time() - cpu_before
        return report_of(tally, seconds=seconds, cpu_s=cpu_s)

    def attend(self, seconds: float) -> None:
        """Be there for idle sockets for a while: their pings are answered."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._attend(SocketTally())

    def close(self) -> None:
        """End all sockets as a client does that is done."""
        for each in self._sockets.values():
            each.say_bye()
        deadline = time.monotonic() + ENDING_S
        for each in self._sockets.values():
            each.end(max(0.0, deadline - time.monotonic()))
        self._sockets.clear()
        self._ready.close()

    def _opened(self, name: str, payers: Payers, token: str) -> EventSocket:
        opened = EventSocket(self._target.url, self._target.path, Payments(name, payers), token=token)
        self._sockets[opened.fileno()] = opened
        self._ready.register(opened.fileno(), select.EPOLLIN)
        return opened

    def _wait_for_answers(self, driven: Iterable[EventSocket], tally: SocketTally) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while any(each.unanswered for each in driven) and time.monotonic() < deadline:
            self._attend(tally)
        for each in driven:
            if each.unanswered:
                self._drop(each, tally, "no answer")

    def _attend(self, tally: SocketTally, drivers: "_Drivers | None" = None) -> None:
        """Take in what came within a moment, and send on from those that are driven."""
        for number, _ in self._ready.poll(STEP_S):
            each = self._sockets[number]
            try:
                each.receive(tally)
                if drivers:
                    drivers.send(each)
            except (SocketClosed, BrokenPipeError) as err:
                self._drop(each, tally, f"closed {getattr(err, 'code', None)}")

    def _drop(self, each: EventSocket, tally: SocketTally, why: str) -> None:
        """Let go of a socket; its events in flight failed, and for an idle one it counts as one."""
        self._ready.unregister(each.fileno())
        del self._sockets[each.fileno()]
        tally.failed[why] += max(1, each.abandon())


@contextmanager
def fleet(target: StreamTarget) -> Iterator[Fleet]:
    """Have sockets for the length of the block."""
    made = Fleet(target)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the collector away, which stops everything for tens of milliseconds at times."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
