"""The events of one session at one socket: taken in by their numbers, asked for, answered."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent

from app.errors import (
    GalleyError,
    InputError,
    InvalidFrame,
    NotFoundError,
    RateLimited,
    RedisUnavailable,
    SequenceSkipped,
)
from app.scenarios.outcomes import Outcome
from app.services.stream_sessions import StreamSession, StreamSessions
from app.web.limits import LimitClass, Limits
from app.web.sockets.calls import Asked, Ended, EventCalls, EventQueue, Undone, traced_handshake
from app.web.sockets.journal import Journal
from app.web.sockets.protocol import Work, answer_frame, error_frame
from app.web.sockets.streams import Stream, Write
from app.web.sockets.window import SeqWindow, Standing

logger = logging.getLogger(__name__)

Answer = bytes | str
"""What a number was answered: the members of its frame, or the whole frame that says why there are none.

NOTE: not the error itself: its traceback would hold the frame that it was found in, up to 64 KiB for each that is kept.
"""
Since = float
"""When an event came, in monotonic seconds."""
Refusal = tuple[int, GalleyError, Since]
"""A number, why its event moved nothing, and when it came."""


@dataclass(frozen=True, kw_only=True)
class Office:
    """What all exchanges of a web worker share: who answers, who counts, who remembers."""

    calls: EventCalls
    limits: Limits
    sessions: StreamSessions
    credits: int


class Exchange:
    """Takes events in and answers each; `say` sends a frame, and must not wait."""

    def __init__(
        self,
        stream: Stream,
        session: StreamSession,
        office: Office,
        *,
        answered_by: bytes,
        journal: Journal,
        say: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._session = session
        self._office = office
        self._answered_by = answered_by
        self._journal = journal
        self._say = say
        self._window: SeqWindow[Answer] = SeqWindow(credits=office.credits, last_seq=session.last_seq)
        facts = session.facts
        self._queue = EventQueue(facts.ref, facts.client_id, self._be_answered, traced_handshake())
        self._writers: dict[int, Write] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no event waits for its answer."""
        return self._window.is_idle

    @property
    def events(self) -> int:
        """How many were answered."""
        return self._journal.events

    @property
    def last_seq(self) -> int:
        """The highest number that came, here or at a socket before."""
        return self._window.highest

    @property
    def credits(self) -> int:
        """How many events may come before one is answered."""
        return self._window.credits_left

    def take(self, frame: Work) -> None:
        """Take an event in. It is answered later; one that was answered before, or cannot be, at once.

        :raises InvalidFrame: when the frame itself is wrong: its number may come again.
        :raises OutOfCredits: when the client sends more than it may.
        """
        seq, now = frame.seq, time.monotonic()
        try:
            self._count()
            standing = self._window.admit(seq)
        except (RateLimited, SequenceSkipped) as err:
            self._journal.turn_away(err)
            self._say(error_frame(err, seq, is_retryable=True))
            return

        if standing is Standing.ANSWERED:
            self._tell(self._window.answer_to(seq), seq)
        elif standing is Standing.DUE:
            self._ask(frame, now)

    def _count(self) -> None:
        standing = self._office.limits.count_event(self._session.facts.client_id)
        if standing.is_over:
            raise standing.refusal(LimitClass.EVENTS)

    def _ask(self, frame: Work, now: float) -> None:
        seq = frame.seq
        try:
            row, sequence, self._writers[seq] = self._stream.read(frame, self._session)
        except InvalidFrame:
            self._window.reopen(seq)
            raise
        except InputError as err:
            self._refuse([(seq, err, now)])
        else:
            self._office.calls.put(self._queue, Asked(seq, row, sequence, now))

    def _be_answered(self, ended: Sequence[Ended]) -> None:
        """Hear what became of events. Called in the greenlet of the call, which the events of others share."""
        refused: list[Refusal] = []
        for event, outcome in ended:
            try:
                self._conclude(event, outcome, refused)
            except Exception:
                # Other events come next.
                logger.exception("an answer to event %d of session %s failed", event.seq, self._session.id)
                self._reopen(event.seq, GalleyError("It cannot be answered."), event.asked_at)
        if refused:
            # That waits for Redis; the others do not.
            gevent.spawn(self._refuse, refused)

    def _conclude(self, event: Asked, outcome: Outcome | Undone, refused: list[Refusal]) -> None:
        seq, since, write = event.seq, event.asked_at, self._writers.pop(event.seq)
        error = outcome.error if isinstance(outcome, Undone) else outcome
        if not isinstance(error, GalleyError):
            self._settle(seq, write(error, self._answered_by), since)
        elif isinstance(outcome, Undone) and isinstance(error, NotFoundError):
            # The version was deleted: nobody will ever answer.
            refused.append((seq, error, since))
        elif isinstance(outcome, Undone) or error.is_retryable:
            self._reopen(seq, error, since)
        elif self._stream.is_numbered:
            # The runner counted it.
            self._settle_failed(seq, error, since)
        else:
            refused.append((seq, error, since))

    def _refuse(self, refused: Sequence[Refusal]) -> None:
        """Answer events that moved nothing with why. Before the client hears of it, the session knows."""
        try:
            self._office.sessions.note_answered(self._session, max(seq for seq, _, _ in refused))
        except RedisUnavailable as err:
            for seq, _, since in refused:
                self._reopen(seq, err, since)
        else:
            for seq, error, since in refused:
                self._settle_failed(seq, error, since)

    def _settle(self, seq: int, answer: bytes, since: Since) -> None:
        self._window.answered(seq, answer)
        self._journal.note(seq, time.monotonic() - since)
        self._tell(answer, seq)

    def _settle_failed(self, seq: int, error: GalleyError, since: Since) -> None:
        answer = error_frame(error, seq)
        self._window.answered(seq, answer)
        self._journal.note(seq, time.monotonic() - since, error)
        self._tell(answer, seq)

    def _reopen(self, seq: int, error: GalleyError, since: Since) -> None:
        """Say that nothing came of an event, as far as is known: the same number may come again, and then the rest."""
        self._window.reopen(seq)
        self._journal.note(seq, time.monotonic() - since, error)
        self._say(error_frame(error, seq, is_retryable=True))
        for event in self._queue.withdraw(beyond=seq):
            # They would take effect before it.
            del self._writers[event.seq]
            self._reopen(event.seq, SequenceSkipped(event.seq, seq), event.asked_at)

    def _tell(self, answer: Answer, seq: int) -> None:
        if isinstance(answer, bytes):
            answer = answer_frame(self._stream.answers, seq, answer, credits_left=self._window.credits_left)
        self._say(answer)
