"""What sequences remember, in Redis: read for a whole batch in one trip, moved on in another, never twice at once."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final, cast

import redis
from msgspec import Struct

from app.infra.redis import redis_refusals

# Before each state stands how often it was moved. Whoever read another number than there is now moves nothing.
VERSION_BYTES: Final = 8
KEY_PREFIX: Final = "galley:state:"

# NOTE: read once, with this code: files that an upgrade replaces meanwhile may want other arguments.
_MOVE: Final = files("workers.runner").joinpath("move_sequences.lua").read_text()
_RAISE_MARKS: Final = files("app.infra").joinpath("raise_mark.lua").read_text()


class SequenceState(Struct, frozen=True):
    """What a sequence remembers, and how many events made it so. A new one remembers nothing."""

    version: int = 0
    data: bytes = b""


class Kept(Struct, frozen=True):
    """A value that is written with a move, and for how many seconds it is kept."""

    key: str
    value: bytes
    keep_s: int


class Mark(Struct, frozen=True):
    """A number that is written with a move if it is higher than the one there, and for how many seconds it is kept."""

    key: str
    number: int
    keep_s: int


class Move(Struct, frozen=True):
    """One sequence moved on by one or more events: from which version, to what, and what the events were answered."""

    key: str
    before: SequenceState
    after: SequenceState
    keep_s: int
    answers: Sequence[Kept] = ()
    marks: Sequence[Mark] = ()


class SequenceStore:
    """States under `KEY_PREFIX` and keys of the caller's. Several threads may use it at once.

    :raises RedisUnavailable: from all methods. Of a `move` nobody knows then whether it happened: ask for the answers
        of its events again.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._script = client.register_script(_MOVE)
        self._raise_marks = client.register_script(_RAISE_MARKS)

    def read(self, keys: Sequence[str], answers: Sequence[str]) -> tuple[list[SequenceState], list[bytes | None]]:
        """Return the states at `keys`, and what is kept at `answers`: None where it is nothing. One trip."""
        if not keys and not answers:
            return [], []

        with redis_refusals():
            values = cast(list[bytes | None], self._client.mget([*keys, *answers]))
        return [_state(value) for value in values[: len(keys)]], values[len(keys) :]

    def move(self, moves: Sequence[Move]) -> list[bool]:
        """Write each move whose sequence is where it was read; return which ones were written. One trip.

        Two moves of one sequence in one call: the second begins where the first ended.
        """
        if not moves:
            return []

        with redis_refusals():
            return [bool(moved) for moved in self._script(args=[each for move in moves for each in _arguments(move)])]

    def raise_marks(self, marks: Sequence[Mark]) -> None:
        """Write marks that go with no move. One trip, none where there are none."""
        if not marks:
            return

        highest: dict[str, Mark] = {}
        for mark in marks:
            if mark.key not in highest or mark.number > highest[mark.key].number:
                highest[mark.key] = mark
        with redis_refusals():
            self._raise_marks(
                keys=list(highest), args=[each for mark in highest.values() for each in (mark.number, mark.keep_s)]
            )

    def marks_at(self, keys: Sequence[str]) -> list[int]:
        """Return the numbers at these keys, 0 where there is none. One trip, none where there are no keys."""
        if not keys:
            return []

        with redis_refusals():
            return [int(value or 0) for value in cast(list[bytes | None], self._client.mget(keys))]


def _state(value: bytes | None) -> SequenceState:
    if value is None:
        return SequenceState()

    return SequenceState(int.from_bytes(value[:VERSION_BYTES], "big"), value[VERSION_BYTES:])


def _version_bytes(state: SequenceState) -> bytes:
    return state.version.to_bytes(VERSION_BYTES, "big")


def _arguments(move: Move) -> Iterator[str | bytes | int]:
    """Return what the script is told of a move."""
    before, after = move.before, move.after
    yield from (move.key, _version_bytes(before) if before.version else b"", _version_bytes(after) + after.data)
    yield from (move.keep_s, len(move.answers))
    for answer in move.answers:
        yield from (answer.key, answer.value, answer.keep_s)
    yield len(move.marks)
    for mark in move.marks:
        yield from (mark.key, mark.number, mark.keep_s)
