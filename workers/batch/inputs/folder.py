"""The input of one job, and the slices that its reader makes of it, wherever the files lie."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from app.errors import InvalidInput
from app.infra.job_files import INPUT, SLICES, JobFiles


@dataclass(frozen=True)
class JobFolder:
    """The input of one job, and the slices that a reader makes of it where it cannot be read from its middle.

    :raises InvalidInput: from what opens one, when it is gone.
    """

    files: JobFiles
    job_id: str
    attempt: int = 1
    """Whose slices are written: of two workers that cut the same input each writes its own."""

    def open_input(self, offset: int = 0) -> AbstractContextManager[BinaryIO]:
        """Open the input at a byte."""
        return self._open(INPUT, offset)

    def input_bytes(self) -> int:
        """Return how large the input is."""
        return self.files.size(self.job_id, INPUT) or 0

    def open_slice(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a slice that was written."""
        return self._open(name)

    def new_slice(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Write a slice; it is there at the end of the block, or not at all."""
        return self.files.writer(self.job_id, name)

    @contextmanager
    def _open(self, name: str, offset: int = 0) -> Iterator[BinaryIO]:
        try:
            with self.files.reader(self.job_id, name, offset=offset) as file:
                yield file
        except FileNotFoundError as err:
            raise InvalidInput("The input is not there any more.") from err

    def scratch(self) -> AbstractContextManager[BinaryIO]:
        """Open a file without a name, to be written and read by this process alone."""
        return self.files.scratch()

    def slice_name(self, number: int, ending: str) -> str:
        """Return the name of a new slice, counted from 1."""
        return f"{SLICES}/{self.attempt}.{number:06}.{ending}"

    def discard_slices(self) -> None:
        """Remove the slices that this attempt has written."""
        written = f"{SLICES}/{self.attempt}."
        for name in self.files.names(self.job_id, SLICES):
            if name.startswith(written):
                self.files.delete(self.job_id, name)
