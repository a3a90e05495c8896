"""Rows that go on with sequences: states read for the whole batch, moved event by event, written back before answers.

A row's answer is known outside only once its move is written. What went wrong before that moved nothing; of a write
without an answer nobody knows, and the event's kept answer tells whoever sends it again.
"""

import hashlib
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import (
    AlreadyAnswered,
    GalleyError,
    ModelFailed,
    RedisUnavailable,
    SequenceGap,
    SequenceLost,
    SequenceMoved,
    WrongTask,
)
from app.inference.messages import Form, RowFailure, SequenceCall
from app.inference.refusals import row_error
from workers.runner.batch import BatchRunner, Execution, Work, without_frames
from workers.runner.calls import Row
from workers.runner.pipelines.base import Pipeline, SequencePipeline
from workers.runner.sequence_store import Kept, Mark, Move, SequenceState, SequenceStore

logger = logging.getLogger(__name__)

# Another runner may move a sequence between its reading and its writing. It is then read again, so many times in all.
MOST_TRIES: Final = 3
STATE_PREFIX: Final = "galley:state:"
ANSWER_PREFIX: Final = "galley:answer:"


class _Told(Struct, frozen=True, array_like=True):
    """What is kept of an event: its number if it has one, the version that it met, and what it was answered."""

    number: int
    version: int
    answer: bytes
    code: str = ""
    """That of a failure, which has a sentence in the place of an answer."""
    detail: str = ""


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Told).decode


@dataclass(slots=True)
class _Sequence:
    """One sequence during a batch: what was read, how far it has come, and its rows."""

    before: SequenceState
    after: SequenceState
    waiting: deque[Work] = field(default_factory=deque)
    moved: list[Work] = field(default_factory=list)
    """The rows that brought it to `after`, in order."""
    met: list[Work] = field(default_factory=list)
    """All rows that had their turn: what they were answered is true if the move is written."""
    is_lost: bool = False
    """Whether there were answers before, and what they left is there no more."""


class SequenceRunner:
    """A batch runner whose rows may name sequences; those that name none pass through as they are.

    Several threads may use it at once: two that move one sequence meet in Redis, and the later one begins again. Which
    one is later nobody knows; `SequenceTurns` gives the rows of one sequence to one thread.
    """

    def __init__(self, runner: BatchRunner, store: SequenceStore) -> None:
        self.pipelines: Mapping[Form, Pipeline] = runner.pipelines
        self.name = runner.name
        self.task = runner.task
        self._version = runner.version
        self._runner = runner
        self._store = store
        pipeline = runner.pipelines.get(Form.SCENARIO)
        self._pipeline = pipeline if isinstance(pipeline, SequencePipeline) else None
        schema = self._pipeline.state_schema() if self._pipeline else ""
        # A version whose state looks otherwise begins anew; one whose state looks the same goes on with it.
        self._state_prefix = f"{STATE_PREFIX}{self.name}:{hashlib.blake2b(schema.encode(), digest_size=8).hexdigest()}:"
        self._answer_prefix = f"{ANSWER_PREFIX}{self.name}:"

    def prepare(self, rows: Sequence[Row]) -> list[Work]:
        """Decode and preprocess the rows without a sequence; the others wait for what they go on with."""
        works = iter(self._runner.prepare([row for row in rows if row.sequence is None]))
        return [next(works) if row.sequence is None else Work(row, time.monotonic()) for row in rows]

    def forward(self, works: Sequence[Work], *, limit: int) -> list[Execution]:
        """Answer every row, at most `limit` per call of the model; return those calls."""
        executions = self._runner.forward([work for work in works if work.row.sequence is None], limit=limit)
        moving = named = [work for work in works if work.row.sequence is not None]
        for _ in range(MOST_TRIES):
            if not moving:
                break
            moving = self._move(moving, limit, executions)
        for work in moving:
            work.answer = SequenceMoved()
        for work in named:
            if _may_come_again(work):
                work.row.call.held_up.add(_call(work).key)
        return executions

    def _move(self, works: Sequence[Work], limit: int, executions: list[Execution]) -> list[Work]:
        """Move the sequences of `works` on; return the rows of those that somebody else moved meanwhile."""
        sequences: dict[str, _Sequence] = {}
        try:
            sequences = self._read(works)
            while ready := [each for each in sequences.values() if each.waiting]:
                executions += self._step(ready, limit)
            return self._write(sequences)
        except RedisUnavailable as err:
            unsettled = [work for each in sequences.values() if each.moved for work in each.met]
            for work in unsettled if sequences else works:
                work.answer = without_frames(err)
            return []

    def _read(self, works: Sequence[Work]) -> dict[str, _Sequence]:
        """Return the sequences by key, each with its rows; rows that were answered before have that answer."""
        calls = [_call(work) for work in works]
        keys = list(dict.fromkeys(call.key for call in calls))
        events = list(dict.fromkeys(self._answer_key(call) for call in calls if call.event))
        states, answers = self._store.read([self._state_prefix + key for key in keys], events)
        sequences = {key: _Sequence(state, state) for key, state in zip(keys, states, strict=True)}
        kept = dict(zip(events, answers, strict=True))
        repeated: list[SequenceCall] = []
        for work, call in zip(works, calls, strict=True):
            answer = kept.get(self._answer_key(call))
            work.answer = None if answer is None else self._unpacked(answer, call)
            if work.answer is None:
                sequences[call.key].waiting.append(work)
            else:
                repeated.append(call)
        # It may be another caller's answer: this one's mark says that it has it now, too.
        self._store.raise_marks(_marks(repeated))
        self._find_lost(sequences.values())
        return sequences

    def _find_lost(self, sequences: Iterable[_Sequence]) -> None:
        """Find the sequences that are not there though rows of them were answered, as their marks say."""
        # A first row that failed leaves none either. In order rows begin with the first, and nothing is asked.
        absent = [each for each in sequences if each.waiting and not each.before.version]
        doubtful = [(each, call.mark) for each in absent if (call := _call(each.waiting[0])).after and call.mark]
        for (sequence, _), number in zip(doubtful, self._store.marks_at([mark for _, mark in doubtful]), strict=True):
            sequence.is_lost = number > 0

    def _step(self, sequences: Sequence[_Sequence], limit: int) -> list[Execution]:
        """Give each sequence its next row."""
        meeting: list[tuple[_Sequence, Work]] = []
        for sequence in sequences:
            work = sequence.waiting.popleft()
            sequence.met.append(work)
            work.answer = self._settled(work, sequence)
            if work.answer is None:
                self._meet(work, sequence)
                meeting.append((sequence, work))
        executions = self._runner.forward([work for _, work in meeting], limit=limit)
        for sequence, work in meeting:
            _advance(sequence, work)
        return executions

    def _settled(self, work: Work, sequence: _Sequence) -> bytes | GalleyError | None:
        """Return the answer of a row that is not the sequence's next, or came twice in this batch; None of others."""
        call, number = _call(work), sequence.after.version
        if self._pipeline is None or work.row.call.form is not Form.SCENARIO:
            return WrongTask(self.name, self.task, "a task whose models remember sequences")
        for twin in sequence.moved:
            if call.event and (_call(twin).event, _call(twin).number) == (call.event, call.number):
                return twin.answer
        if not call.number:
            return SequenceGap.behind_another() if _is_held_up(work, sequence) else None
        if number >= call.number:
            return AlreadyAnswered(call.number)

        if number == call.after:
            return None
        return SequenceLost(call.number) if sequence.is_lost else SequenceGap(call.number)

    def _meet(self, work: Work, sequence: _Sequence) -> None:
        pipeline, row, state = self._pipeline, work.row, sequence.after.data
        assert pipeline is not None
        self._runner.ready(work, lambda: pipeline.resume(state, row.data, row.call.parameters))

    def _write(self, sequences: Mapping[str, _Sequence]) -> list[Work]:
        moved = [(key, sequence) for key, sequence in sequences.items() if sequence.moved]
        written = self._store.move([self._as_move(key, sequence) for key, sequence in moved])
        lost = [each for (_, each), is_written in zip(moved, written, strict=True) if not is_written]
        again = [work for sequence in lost for work in sequence.met]
        for work in again:
            work.answer = work.state = work.prepared = None
        return again

    def _as_move(self, key: str, sequence: _Sequence) -> Move:
        calls = [_call(work) for work in sequence.moved]
        answers = [
            Kept(self._answer_key(call), self._packed(work.answer, call), call.answer_keep_s)
            for work, call in zip(sequence.moved, calls, strict=True)
            if call.event
        ]
        twins = [
            _call(work) for work in sequence.met if work.state is None and not isinstance(work.answer, GalleyError)
        ]
        marks = _marks([*calls, *twins])
        keep_s = max(call.keep_s for call in calls)
        return Move(self._state_prefix + key, sequence.before, sequence.after, keep_s, answers=answers, marks=marks)

    def _answer_key(self, call: SequenceCall) -> str:
        # Colons may be in both: without the length, two sequences could have one key.
        return f"{self._answer_prefix}{len(call.key)}:{call.key}:{call.event}"

    def _packed(self, answer: bytes | GalleyError | None, call: SequenceCall) -> bytes:
        assert answer is not None
        if isinstance(answer, GalleyError):
            return _encode(_Told(call.number, self._version, b"", answer.code, answer.detail))

        return _encode(_Told(call.number, self._version, answer))

    def _unpacked(self, kept: bytes, call: SequenceCall) -> bytes | GalleyError | None:
        """Return what a row was answered; None where another number's answer stands in its place."""
        try:
            told = _decode(kept)
        except msgspec.MsgspecError:
            logger.exception("an answer that %s kept cannot be read", self.name)
            return ModelFailed("The answer that was kept of the row cannot be read.")

        if told.number != call.number:
            return None
        if told.code:
            return row_error(RowFailure(row=0, code=told.code, detail=told.detail))
        if told.version == self._version or self._pipeline is None:
            return told.answer
        return self._pipeline.answer_of(told.version, told.answer)


def _call(work: Work) -> SequenceCall:
    call = work.row.sequence
    assert call is not None
    return call


def _may_come_again(work: Work) -> bool:
    return isinstance(work.answer, GalleyError) and work.answer.is_retryable


def _is_held_up(work: Work, sequence: _Sequence) -> bool:
    """Say whether a row before it in its call came to nothing, in this batch or in one before, and may come again."""
    call = work.row.call
    return _call(work).key in call.held_up or any(
        before.row.call is call and _may_come_again(before) for before in sequence.met
    )


def _marks(calls: Iterable[SequenceCall]) -> list[Mark]:
    return [Mark(call.mark, call.mark_number, call.mark_keep_s or call.keep_s) for call in calls if call.mark]


def _advance(sequence: _Sequence, work: Work) -> None:
    """Take over what a row left. A bad one of a numbered sequence counts, too, and leaves the state as it was."""
    number, state = _call(work).number, work.state
    if isinstance(work.answer, GalleyError):
        if not number or work.answer.is_retryable:
            return
        state = sequence.after.data
    assert state is not None
    sequence.after = SequenceState(number or sequence.after.version + 1, state)
    sequence.moved.append(work)
