"""The lines that chunks wrote, put together in the order of their rows, and never all in memory."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Final

from app.db.repositories.job_chunks import ChunkFacts
from app.errors import ResultsGone
from app.infra.job_files import JobFiles
from app.infra.off_hub import off_hub

PIECE_BYTES: Final = 256 * 1024

_ROW: Final = re.compile(rb'\{"row":(\d+)')


@dataclass(frozen=True, kw_only=True)
class OutputLines:
    """What chunks of one job wrote, `name_of` each into a file or none, from the row `from_row` on.

    Blocks on files: `off_hub_pieces` reads it elsewhere.

    :raises ResultsGone: from all methods, when a file is not there any more; what was yielded is no whole then.
    :raises StoreUnreachable: likewise, when the files cannot be reached.
    """

    files: JobFiles
    job_id: str
    chunks: Sequence[ChunkFacts]
    name_of: Callable[[ChunkFacts], str]
    from_row: int = 1

    def pieces(self) -> Iterator[bytes]:
        """Yield the lines in pieces of at most PIECE_BYTES."""
        return self._read(lambda file: iter(partial(file.read, PIECE_BYTES), b""))

    def lines(self) -> Iterator[bytes]:
        """Yield line by line."""
        return self._read(iter)

    def _read(self, parts_of: Callable[[BinaryIO], Iterator[bytes]]) -> Iterator[bytes]:
        for chunk in self.chunks:
            name = self.name_of(chunk)
            if not name or chunk.last_row < self.from_row:
                continue
            try:
                with self.files.reader(self.job_id, name) as file:
                    if chunk.first_row < self.from_row:
                        _skip_to(file, self.from_row)
                    # Read in here: only so a failure passes through what gives it its name.
                    yield from parts_of(file)
            except FileNotFoundError as err:
                raise ResultsGone(self.job_id) from err


def off_hub_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces, each of which is made off the hub: a slow file or a slow reader holds nobody else."""
    while (piece := off_hub(next, pieces, b"")) != b"":
        yield piece


def _skip_to(file: BinaryIO, row: int) -> None:
    """Leave a file where the first line is about that row, or a later one."""
    place = file.tell()
    while line := file.readline():
        match = _ROW.match(line)
        if match is None or int(match[1]) >= row:
            break
        place = file.tell()
    file.seek(place)
