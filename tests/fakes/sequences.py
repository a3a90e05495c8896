"""A store of sequences in memory, which can be away, and in which others move sequences between a read and a write."""

from collections.abc import Callable, Sequence

from app.errors import RedisUnavailable
from workers.runner.sequence_store import Mark, Move, SequenceState


class FakeSequenceStore:
    """Behaves as SequenceStore does; tests/integration/test_sequences.py holds the real one to the same."""

    def __init__(self) -> None:
        self.states: dict[str, SequenceState] = {}
        self.kept: dict[str, bytes] = {}
        self.marks: dict[str, int] = {}
        self.trips: list[str] = []
        self.is_away_for: set[str] = set()
        """Which of `read`, `marks`, `marks_at` and `move` fail."""
        self.before_move: Callable[[], None] = lambda: None
        """What happens between a read and the write that follows it."""
        self.loses_answers = False
        """Whether moves are written, and then nobody learns of it."""

    def read(self, keys: Sequence[str], answers: Sequence[str]) -> tuple[list[SequenceState], list[bytes | None]]:
        self._trip("read")
        return [self.states.get(key, SequenceState()) for key in keys], [self.kept.get(key) for key in answers]

    def move(self, moves: Sequence[Move]) -> list[bool]:
        self.before_move()
        self._trip("move")
        moved = [self._move(move) for move in moves]
        if self.loses_answers:
            raise RedisUnavailable("The test lost the answer.")
        return moved

    def raise_marks(self, marks: Sequence[Mark]) -> None:
        if marks:
            self._trip("marks")
        self._raise(marks)

    def marks_at(self, keys: Sequence[str]) -> list[int]:
        if keys:
            self._trip("marks_at")
        return [self.marks.get(key, 0) for key in keys]

    def _trip(self, name: str) -> None:
        self.trips.append(name)
        if name in self.is_away_for:
            raise RedisUnavailable("The test took it away.")

    def _move(self, move: Move) -> bool:
        if self.states.get(move.key, SequenceState()).version != move.before.version:
            return False

        self.states[move.key] = move.after
        self.kept |= {answer.key: answer.value for answer in move.answers}
        self._raise(move.marks)
        return True

    def _raise(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self.marks[mark.key] = max(mark.number, self.marks.get(mark.key, -1))
