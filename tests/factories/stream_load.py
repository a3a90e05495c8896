"""Many sessions at once, all through the client of docs/examples, and what each of them was answered."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from app.scenarios.fraud_events import FraudEvent
from docs.examples.stream_client import StreamClient
from tests.factories.payments import Habits, payments

Frame = dict[str, Any]
# Payments of one account follow so closely that the last ones of a session are not too late for its first.
HABITS = Habits(mean_gap_s=20.0)


def as_sent(event: FraudEvent) -> Frame:
    """Return a payment as a caller writes it."""
    moment = datetime.fromtimestamp(event.occurred_ms // 1000, UTC)
    members: Frame = {
        "event_id": event.event_id,
        "account_id": event.account_id,
        "merchant_id": event.merchant_id,
        "amount": event.amount,
        "currency": "EUR",
        "occurred_at": f"{moment:%Y-%m-%dT%H:%M:%S}.{event.occurred_ms % 1000:03}Z",
    }
    optional = {"channel": event.channel, "country": event.country}
    return members | {name: value for name, value in optional.items() if value is not None}


def session_payments(name: str, *, accounts: int, each: int) -> list[FraudEvent]:
    """Return the payments of one session: of its accounts in turns, of each in the order of their times."""
    own = [payments(each, HABITS, seed=hash_of(name, n), account=f"{name}-{n}") for n in range(accounts)]
    return [event for turn in zip(*own, strict=True) for event in turn]


def pieces_of(text: str, count: int, *, seed: str) -> list[Frame]:
    """Return a text as so many pieces, which begin and end anywhere, also within a character."""
    rng, data = random.Random(seed), text.encode()
    cuts = [0, *sorted(rng.choices(range(len(data) + 1), k=count - 1)), len(data)]
    parts = [data[start:end] for start, end in pairwise(cuts)]
    return [{"base64": base64.b64encode(part).decode(), "end": place == count} for place, part in enumerate(parts, 1)]


def hash_of(*parts: object) -> int:
    """Return a number that is the same in every run."""
    return random.Random(repr(parts)).getrandbits(32)


class Witness(StreamClient):
    """The client, and what it heard: a number that is answered twice must be answered the same."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self._session = ""
        self._heard: dict[tuple[str, int], Frame] = {}
        self.contradictions: list[tuple[Frame, Frame]] = []

    async def _hear(self, frame: Frame) -> None:
        if frame["type"] == "ready":
            self._session = frame["session"]
        elif frame["type"] in ("score", "prediction"):
            told = {name: value for name, value in frame.items() if name != "credits"}
            before = self._heard.setdefault((self._session, frame["seq"]), told)
            if before != told:
                self.contradictions.append((before, told))
        await super()._hear(frame)


@dataclass
class StreamLoad:
    """What a load has been answered so far, by the name of the session: each work with its answer, as they came."""

    answers: dict[str, list[tuple[Frame, Frame]]] = field(default_factory=dict)
    contradictions: list[tuple[Frame, Frame]] = field(default_factory=list)
    """Answers to one number of one session that are not the same."""

    @property
    def answered(self) -> int:
        """How many works were answered."""
        return sum(map(len, self.answers.values()))

    async def payments(
        self, name: str, url: str, token: str, events: Sequence[FraudEvent], *, between: asyncio.Event | None = None
    ) -> None:
        """Send payments over one session, as many at once as it may; the second half of them waits for `between`."""

        async def in_turn() -> AsyncIterator[Frame]:
            for number, event in enumerate(events):
                if between is not None and number == len(events) // 2:
                    await between.wait()
                yield as_sent(event)

        await self._talk(name, url, token, in_turn())

    async def text(self, name: str, url: str, token: str, pieces: Sequence[Frame]) -> None:
        """Send the pieces of one text over one session."""

        async def all_pieces() -> AsyncIterator[Frame]:
            for piece in pieces:
                yield piece

        await self._talk(name, url, token, all_pieces())

    async def _talk(self, name: str, url: str, token: str, works: AsyncIterator[Frame]) -> None:
        kept = self.answers[name] = []
        async with Witness(url, token) as client:
            async for work, answer in client.answers(works):
                kept.append((work, answer))
        self.contradictions += client.contradictions
