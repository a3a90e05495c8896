"""Sockets of a soak, by the client of docs/examples: payments and texts, in sessions that end and begin anew."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Final

from docs.examples.stream_client import StreamClient, StreamError
from tests.load.soak_tally import SoakTally
from tests.load.stream_payments import Payers, Payments

# Then a session ends with a bye, and another begins on a new socket.
WORKS_PER_SESSION: Final = 60
PIECES: Final = ("I lost my ", "card and would ", "like to have ", "another one.")

Frame = dict[str, Any]
Connect = Callable[[str, SoakTally], StreamClient]


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """A kind of socket: so many of it, each sending so often; `works` are made for each of them by its number."""

    name: str
    path: str
    sockets: int
    rate: float
    works: Callable[[int], Iterator[Frame]]
    is_right: Callable[[Frame, Frame], bool]


def payments(number: int) -> Iterator[Frame]:
    """Yield payments of one socket's accounts, without end."""
    for payment in iter(Payments(f"soak-{number}", Payers()).__next__, None):
        yield json.loads(payment.event)


def pieces(_number: int) -> Iterator[Frame]:
    """Yield the pieces of one text again and again."""
    for text in itertools.cycle(PIECES):
        yield {"text": text, "end": True} if text == PIECES[-1] else {"text": text}


STREAMINGS: Final = (
    Streaming(
        name="payments over sockets",
        path="/api/v1/fraud/stream",
        sockets=10,
        rate=0.25,
        works=payments,
        is_right=lambda asked, told: told["type"] == "score" and told["event_id"] == asked["event_id"],
    ),
    Streaming(
        name="texts over sockets",
        path="/api/v1/text/stream",
        sockets=20,
        rate=1.0,
        works=pieces,
        is_right=lambda asked, told: told["type"] == "prediction" and told["final"] == asked.get("end", False),
    ),
)


class CountingClient(StreamClient):
    """The client, and how often it had to come again, and why."""

    def __init__(self, url: str, token: str, tally: SoakTally) -> None:
        super().__init__(url, token)
        self._tally = tally

    async def _pause(self) -> None:
        self._tally.came_again[self._trouble] += 1
        await super()._pause()


class SocketCaller:
    """One session after the other, each on a socket of its own; its tally grows until it is over."""

    def __init__(self, streaming: Streaming, number: int, connect: Connect) -> None:
        self.tally = SoakTally(streaming.name)
        self._streaming = streaming
        self._works = streaming.works(number)
        # Not all at once, neither at the beginning nor whenever sessions end.
        self._delay_s = number / streaming.sockets / streaming.rate
        self._connect = connect

    async def keep_busy(self, is_over: Event) -> None:
        """Begin sessions until it is over."""
        await asyncio.sleep(self._delay_s)
        while not is_over.is_set():
            try:
                async with self._connect(self._streaming.path, self.tally) as client:
                    await self._session(client, is_over)
            except StreamError as err:
                self.tally.failed[f"{err}"] += 1

    async def _session(self, client: StreamClient, is_over: Event) -> None:
        sent: dict[int, float] = {}
        async for asked, told in client.answers(self._in_turn(sent, is_over)):
            waited_s = time.monotonic() - sent.pop(id(asked))
            if self._streaming.is_right(asked, told):
                self.tally.latencies_s.append(waited_s)
            else:
                self.tally.failed[told.get("code", "wrong answer")] += 1

    async def _in_turn(self, sent: dict[int, float], is_over: Event) -> AsyncIterator[Frame]:
        for work in itertools.islice(self._works, WORKS_PER_SESSION):
            if is_over.is_set():
                return

            sent[id(work)] = time.monotonic()
            yield work
            await asyncio.sleep(1 / self._streaming.rate)


class StreamCallers:
    """All sockets, on one thread."""

    def __init__(self, url: str, token: str, streamings: Sequence[Streaming]) -> None:
        base = url.replace("http", "ws", 1)

        def connect(path: str, tally: SoakTally) -> StreamClient:
            return CountingClient(base + path, token, tally)

        self._callers = [SocketCaller(one, number, connect) for one in streamings for number in range(one.sockets)]

    @property
    def tallies(self) -> list[SoakTally]:
        """What each of them saw."""
        return [caller.tally for caller in self._callers]

    def work(self, is_over: Event) -> None:
        """Keep all sockets busy until it is over."""
        asyncio.run(self._all(is_over))

    async def _all(self, is_over: Event) -> None:
        await asyncio.gather(*(caller.keep_busy(is_over) for caller in self._callers))
