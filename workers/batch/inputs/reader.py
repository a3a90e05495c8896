"""What every format of inputs can do: be cut into chunks in one go, and be read chunk by chunk."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits, InputRow

Place = Mapping[str, Any]
"""Where a chunk lies, as JSON has it. Only the reader that made one knows what it says."""


class ReaderLost(Exception):
    """The process that went through an input was ended from outside: by a person, or by a system short of memory."""


class InputReader(Protocol):
    """Reads one input. Blocks on its files, and holds little more in memory than one chunk.

    Failures of the file system pass through both methods: the input may be whole all the same.
    """

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        """Go through the input once and yield its chunks, in order. They hold once all of them were yielded.

        :raises EmptyInput: when there is no row.
        :raises InvalidInput: when the input is not of its format, at the latest at its end.
        :raises ReaderLost: when a process of its own was lost.
        """

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:
        """Read one chunk, and nothing else: as many rows as it was cut with, in order, bad ones as their errors.

        :raises InvalidInput: when the input is not the one that was cut.
        """


def not_empty(drafts: Iterable[ChunkDraft]) -> Iterator[ChunkDraft]:
    """Yield what is there.

    :raises EmptyInput: at the end, when nothing was.
    """
    is_empty = True
    for draft in drafts:
        is_empty = False
        yield draft
    if is_empty:
        raise EmptyInput


def changed_input() -> InvalidInput:
    """Return the error for an input that is not the one that was cut."""
    return InvalidInput("The input is not the one that the job began with: it was changed or cut off since.")
