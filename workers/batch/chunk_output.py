"""What a chunk's rows came to, written as two files of its attempt: nobody else's, and whole or not there."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

from app.db.repositories.job_chunks import ChunkFacts
from app.infra.job_files import ERRORS, RESULTS, JobFiles


class OutputFile:
    """One file, which is made when there is something to write: of no lines there is none."""

    def __init__(self, files: JobFiles, chunk: ChunkFacts, folder: str, closing: ExitStack) -> None:
        self.lines = 0
        self._files = files
        self._job_id = chunk.job_id
        self._path = f"{folder}/{chunk.number:06}.{chunk.attempt}.ndjson"
        self._closing = closing
        self._file: BinaryIO | None = None

    @property
    def name(self) -> str:
        """Its name among the files of the job; empty where there is none."""
        return self._path if self.lines else ""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append lines."""
        if not lines:
            return

        if self._file is None:
            self._file = self._closing.enter_context(self._files.writer(self._job_id, self._path))
        self._file.write(b"".join(lines))
        self.lines += len(lines)


class ChunkOutput:
    """The results and errors of one attempt at a chunk. They appear at the end of the block, or not if it raises.

    :raises DiskFull: from the block's end and `write`, when there is no room.
    :raises StoreUnreachable: likewise, when the files of jobs cannot be reached.
    """

    def __init__(self, files: JobFiles, chunk: ChunkFacts) -> None:
        self._closing = ExitStack()
        self.results = OutputFile(files, chunk, RESULTS, self._closing)
        self.errors = OutputFile(files, chunk, ERRORS, self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)
