"""The numbers of a session's frames: which one is new, which is there again, and which may not come yet."""

import enum
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from app.errors import OutOfCredits, SequenceSkipped

KEPT: Final = 2
"""Answers are kept for so many times the credits: who lost a connection asks for no more."""


Answer = TypeVar("Answer")


class Standing(enum.Enum):
    """What is to be done for a frame."""

    DUE = enum.auto()
    """Ask for its answer: there was none yet, or it is too long ago to be kept here, and whoever remembers knows it."""
    ANSWERED = enum.auto()
    """Its answer is kept here."""
    UNDER_WAY = enum.auto()
    """Its answer is on the way; there is nothing to do."""


class SeqWindow(Generic[Answer]):
    """Which frames of one session were answered, and which are under way. One greenlet at a time.

    `credits` frames may be under way at once. `last_seq` is the highest number that is known to have been answered
    when the session begins; the next one is the next.
    """

    def __init__(self, *, credits: int, last_seq: int = 0) -> None:
        self._credits = credits
        self._highest = last_seq
        self._under_way: set[int] = set()
        self._reopened: set[int] = set()
        self._kept: OrderedDict[int, Answer] = OrderedDict()

    @property
    def credits_left(self) -> int:
        """How many more frames may come before one is answered."""
        return self._credits - len(self._under_way)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    @property
    def highest(self) -> int:
        """The highest number that came."""
        return self._highest

    @property
    def _next(self) -> int:
        """The lowest number that is owed an answer, and is not on the way: none beyond it takes effect before it."""
        return min(self._reopened, default=self._highest + 1)

    def admit(self, seq: int) -> Standing:
        """Take a frame's number in.

        :raises SequenceSkipped: when numbers before it did not come, or are to come again.
        :raises OutOfCredits: when too many frames are under way already.
        """
        if seq in self._under_way:
            return Standing.UNDER_WAY
        if seq in self._kept:
            return Standing.ANSWERED
        if seq > self._next:
            raise SequenceSkipped(seq, self._next)
        if self.credits_left <= 0:
            raise OutOfCredits(self._credits)

        self._highest = max(self._highest, seq)
        self._reopened.discard(seq)
        self._under_way.add(seq)
        return Standing.DUE

    def answered(self, seq: int, answer: Answer) -> None:
        """Keep what a frame was answered, for whoever sends it again."""
        self._under_way.discard(seq)
        self._kept[seq] = answer
        if len(self._kept) > KEPT * self._credits:
            self._kept.popitem(last=False)

    def reopen(self, seq: int) -> None:
        """Let a frame be sent again: nothing came of it."""
        self._under_way.discard(seq)
        self._reopened.add(seq)

    def answer_to(self, seq: int) -> Answer:
        """Return what a frame was answered that `admit` called ANSWERED."""
        return self._kept[seq]
