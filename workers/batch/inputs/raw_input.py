"""Inputs that are one row: the body of a single call, as it came."""

from collections.abc import Iterator

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import RowTooLarge
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import Place, not_empty


class RawReader:
    """One chunk of one row. A body over `most_body_bytes` is a bad row, and is not read."""

    def __init__(self, folder: JobFolder, most_body_bytes: int) -> None:
        self._folder = folder
        self._most_body_bytes = most_body_bytes

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:  # noqa: ARG002 - there is nothing to cut
        """Yield the one chunk."""
        yield from not_empty([ChunkDraft(first_row=1, row_count=1, place={})] if self._folder.input_bytes() else [])

    def rows(self, place: Place, first_row: int) -> Iterator[InputRow]:  # noqa: ARG002 - it lies in the whole input
        """Read the whole input as one row."""
        with self._folder.open_input() as file:
            body = file.read(self._most_body_bytes + 1)
        is_small = len(body) <= self._most_body_bytes
        yield InputRow(first_row, body if is_small else RowTooLarge(self._most_body_bytes))
