"""Sessions of streams without sockets and runners: tests send frames, say what becomes of each, see what is said."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest import mock

import gevent
import msgspec

from app.inference.messages import SequenceCall
from app.scenarios.fraud_answers import FraudScore, encode_score
from app.scenarios.outcomes import Outcome, write_answered_by
from app.services.assignments import AssignmentLog
from app.services.experiment_store import ExperimentStore
from app.services.routing import Router
from app.services.stream_sessions import SessionFacts, StreamSession
from app.services.usage import UsageLog
from app.services.usage_store import UsageStore
from app.web.limits import Limits
from app.web.sockets.calls import Asked, EventCalls, EventQueue, Undone
from app.web.sockets.exchange import Exchange, Office
from app.web.sockets.journal import Journal
from app.web.sockets.protocol import EventFrame, TextFrame
from app.web.sockets.streams import FRAUD, Stream
from tests.factories.assignments import KEEPING
from tests.factories.payments import MEMBERS
from tests.factories.settings import make_settings
from tests.fakes.stream_sessions import FakeStreamSessions

CREDITS: Final = 4


def make_session(**changes: Any) -> StreamSession:
    """Return a session of payments of the client `shop`, with `changes` made in it or in its facts."""
    facts: dict[str, Any] = {"client_id": "shop", "stream": "fraud", "model": "fraud", "version": 3}
    facts |= {name: changes.pop(name) for name in SessionFacts.__struct_fields__ if name in changes}
    fields: dict[str, Any] = {"id": "s1", "epoch": 1, "last_seq": 0, "resume_token": "s1.secret", "keep_s": 600}
    return StreamSession(**{**fields, "facts": SessionFacts(**facts), **changes})


@cache
def make_logs() -> tuple[UsageLog, AssignmentLog]:
    """Return logs that are never written."""
    usage = mock.create_autospec(UsageStore, instance=True)
    experiments = mock.create_autospec(ExperimentStore, instance=True)
    return UsageLog(usage), AssignmentLog(experiments, Router(dict), KEEPING)


def make_limits(amount: str = "1000000/day") -> Limits:
    """Return limits that each process counts for itself, with this one of events."""
    return Limits(make_settings(Path("/nowhere"), limit_events=amount), None)


def event_frame(seq: int, **changes: Any) -> EventFrame:
    """Return a payment with an id of its own."""
    return EventFrame(seq, msgspec.Raw(json.dumps({**MEMBERS, "event_id": f"e-{seq}", **changes}).encode()))


def score(number: float) -> bytes:
    """Return a runner's answer that can be told from others."""
    return encode_score(FraudScore(number, "review", []))


class HeldCalls(EventCalls):
    """Keeps what is asked, until the test says what became of it."""

    def __init__(self) -> None:
        self.waiting: list[tuple[EventQueue, Asked]] = []
        self.asked: list[Asked] = []
        """All that ever was."""

    def put(self, queue: EventQueue, event: Asked) -> None:
        """Take an event in."""
        self.waiting.append((queue, event))
        self.asked.append(event)

    def conclude(self, outcome: Outcome | Undone, seq: int | None = None) -> None:
        """Say what became of the first event that waits, or of that of a number."""
        found = next(each for each in self.waiting if seq in (None, each[1].seq))
        self.waiting.remove(found)
        queue, event = found
        queue.answered([(event, outcome)])
        # What is refused is told to Redis in a greenlet of its own.
        gevent.sleep(0)

    def conclude_all(self, outcomes: Sequence[Outcome | Undone]) -> None:
        """Say at once what became of the events that wait, which are of one session."""
        events, queue = [event for _, event in self.waiting], self.waiting[0][0]
        self.waiting.clear()
        queue.answered(list(zip(events, outcomes, strict=True)))
        gevent.sleep(0)

    def seqs(self) -> list[int]:
        """Return the numbers that wait."""
        return [event.seq for _, event in self.waiting]


class ExchangeStand:
    """An exchange, and all that it has to do with."""

    def __init__(self, stream: Stream = FRAUD, *, limits: Limits | None = None, last_seq: int = 0) -> None:
        self.calls = HeldCalls()
        self.sessions = FakeStreamSessions()
        self.said: list[dict[str, Any]] = []
        self.session = make_session(stream=stream.name, last_seq=last_seq)
        office = Office(calls=self.calls, limits=limits or make_limits(), sessions=self.sessions, credits=CREDITS)
        self.exchange = Exchange(
            stream,
            self.session,
            office,
            answered_by=write_answered_by("fraud", 3, None),
            journal=Journal(self.session, *make_logs()),
            say=self._hear,
        )

    def send(self, *seqs: int, **changes: Any) -> None:
        """Send payments."""
        for seq in seqs:
            self.exchange.take(event_frame(seq, **changes))

    def write(self, seq: int, text: str | None = None, **members: Any) -> None:
        """Send a piece of a text."""
        self.exchange.take(TextFrame(seq, text=text, **members))

    def sequences(self) -> list[SequenceCall]:
        """Return the sequences that were asked for."""
        return [event.sequence for event in self.calls.asked]

    def hush(self) -> list[dict[str, Any]]:
        """Return what was said, and forget it."""
        said, self.said[:] = list(self.said), []
        return said

    def _hear(self, frame: str) -> None:
        self.said.append(json.loads(frame))
