"""What a stream is: which model answers it, what an event of it asks of a runner, and what its answer says."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar, Final

from app.inference.messages import Row, SequenceCall
from app.scenarios import fraud_answers, fraud_events, text
from app.services.fraud_sequence import sequence_of
from app.services.stream_sessions import StreamSession, mark_key
from app.setting_rules import MOST_CREDITS
from app.settings import Settings
from app.web.sockets.protocol import EventFrame, TextFrame, Work
from model_store.manifest import Task

Write = Callable[[bytes | memoryview, bytes], bytes]
"""From what the runner answered, and which model that was, to the members of the answer's frame: a JSON object."""
TEXT_KEEP_S: Final = 2 * 86_400
"""A text may rest while its socket stays open: for as long as sockets do, and their sessions are resumed besides."""


class Stream(ABC):
    """One of the streams. A new one is a class of its own, and a route."""

    name: ClassVar[str]
    """As in its path, and in its metrics."""
    work: ClassVar[type[EventFrame] | type[TextFrame]]
    """The frames that bring its events."""
    answers: ClassVar[str]
    """The type of the frames that answer them."""
    task: ClassVar[Task]
    is_numbered: ClassVar[bool]
    """Whether the runner counts the events of a session: those that it refuses count as well."""

    @abstractmethod
    def model(self, settings: Settings) -> str:
        """Return the name of the model that answers when the client names none."""

    @abstractmethod
    def read(self, frame: Work, session: StreamSession) -> tuple[Row, SequenceCall, Write]:
        """Return what to ask for a frame, and how to write the answer.

        :raises InvalidFrame: when the frame itself is wrong: its number may come again.
        :raises InputError: when what it brings is wrong, which is its answer.
        """


class FraudStream(Stream):
    """Payments to be scored: the sequence is the account's, whichever session its events come by."""

    name = "fraud"
    work = EventFrame
    answers = "score"
    task = fraud_events.TASK
    is_numbered = False

    def model(self, settings: Settings) -> str:
        """Return the fraud model."""
        return settings.fraud_model

    def read(self, frame: Work, session: StreamSession) -> tuple[Row, SequenceCall, Write]:
        """Return the payment as a row of its account."""
        assert isinstance(frame, EventFrame)
        event = fraud_events.read_event(frame.event, now=datetime.now(UTC))
        sequence = sequence_of(event, mark_key=mark_key(session.id), mark_number=frame.seq, mark_keep_s=session.keep_s)

        return fraud_events.encode_event(event), sequence, partial(fraud_answers.write_answer, event.event_id)


class TextStream(Stream):
    """Texts that come piece by piece: the sequence is the session's."""

    name = "text"
    work = TextFrame
    answers = "prediction"
    task = text.TASK
    is_numbered = True

    def model(self, settings: Settings) -> str:
        """Return the text model."""
        return settings.text_model

    def read(self, frame: Work, session: StreamSession) -> tuple[Row, SequenceCall, Write]:
        """Return the piece as a row of its text."""
        assert isinstance(frame, TextFrame)
        sequence = SequenceCall(
            key=session.id,
            keep_s=TEXT_KEEP_S,
            # Which one's answer stands there its number says. One for each would be gigabytes an hour.
            event=str(frame.seq % MOST_CREDITS),
            answer_keep_s=session.keep_s,
            number=frame.seq,
            after=frame.seq - 1,
            mark=mark_key(session.id),
            mark_number=frame.seq,
            mark_keep_s=session.keep_s,
        )
        return text.encode_piece(text.TextPiece(frame.content, frame.end)), sequence, _as_it_is


def _as_it_is(answer: bytes | memoryview, _answered_by: bytes) -> bytes:
    return bytes(answer)


FRAUD: Final = FraudStream()
TEXT: Final = TextStream()
