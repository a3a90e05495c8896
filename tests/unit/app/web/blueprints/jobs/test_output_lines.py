"""Lines of chunks are one stream in the order of rows, and it breaks where a file is not there."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.db.repositories.job_chunks import ChunkFacts, ChunkState
from app.errors import ResultsGone, StoreUnreachable
from app.infra.job_files import JobFiles, open_job_files
from app.web.blueprints.jobs.output_lines import PIECE_BYTES, OutputLines, off_hub_pieces


@pytest.fixture
def files(tmp_path: Path) -> JobFiles:
    files = open_job_files(str(tmp_path / "jobs"), tmp_path / "spool")
    files.mark()
    return files


def lines_of(first: int, last: int) -> bytes:
    return b"".join(b'{"row":%d,"x":"%d"}\n' % (row, row * 7) for row in range(first, last + 1))


def write(files: JobFiles, *contents: bytes | None) -> list[ChunkFacts]:
    """Write chunks of ten rows each; None is one that wrote nothing."""
    chunks = []
    for number, content in enumerate(contents):
        name = f"results/{number:06}.1.ndjson" if content is not None else ""
        if content is not None:
            with files.writer("one", name) as file:
                file.write(content)
        facts = {"first_row": 10 * number + 1, "row_count": 10, "place": {}, "results": name}
        chunks.append(ChunkFacts(job_id="one", number=number, queue="batch", state=ChunkState.DONE, **facts))
    return chunks


def output(files: JobFiles, chunks: Sequence[ChunkFacts], from_row: int = 1) -> OutputLines:
    return OutputLines(files=files, job_id="one", chunks=chunks, name_of=lambda chunk: chunk.results, from_row=from_row)


def test_chunks_are_one_stream(files: JobFiles) -> None:
    chunks = write(files, lines_of(1, 10), None, lines_of(21, 30))

    lines = output(files, chunks)

    assert b"".join(lines.pieces()) == lines_of(1, 10) + lines_of(21, 30)
    assert list(lines.lines()) == (lines_of(1, 10) + lines_of(21, 30)).splitlines(keepends=True)


@pytest.mark.parametrize("from_row", [1, 2, 10, 11, 15, 21, 29, 30, 31, 2**63 - 1])
def test_stream_begins_at_a_row(files: JobFiles, from_row: int) -> None:
    # Rows 14 to 17 are bad ones: they have no line.
    chunks = write(files, lines_of(1, 10), lines_of(11, 13) + lines_of(18, 20), lines_of(21, 30))
    wanted = [row for row in range(from_row, 31) if not 14 <= row <= 17] if from_row <= 30 else []

    lines = output(files, chunks, from_row)

    assert b"".join(lines.pieces()) == b"".join(lines_of(row, row) for row in wanted)
    assert list(lines.lines()) == [lines_of(row, row) for row in wanted]


def test_large_file_comes_in_pieces(files: JobFiles) -> None:
    content = b'{"row":1,"x":"%b"}\n' % (b"x" * 3 * PIECE_BYTES)

    pieces = list(off_hub_pieces(output(files, write(files, content)).pieces()))

    assert (len(pieces), b"".join(pieces)) == (4, content)


def test_stream_breaks_where_a_file_is_gone(files: JobFiles) -> None:
    chunks = write(files, lines_of(1, 10), lines_of(11, 20))
    files.delete("one", chunks[1].results)
    pieces = off_hub_pieces(output(files, chunks).pieces())

    assert next(pieces) == lines_of(1, 10)
    with pytest.raises(ResultsGone):
        next(pieces)


def test_file_is_not_gone_while_its_folder_is_not_mounted(files: JobFiles, tmp_path: Path) -> None:
    chunks = write(files, lines_of(1, 10))
    (tmp_path / "jobs").rename(tmp_path / "elsewhere")
    (tmp_path / "jobs").mkdir()
    with pytest.raises(StoreUnreachable, match="mounted"):
        next(off_hub_pieces(output(files, chunks).pieces()))

    (tmp_path / "jobs").rmdir()
    (tmp_path / "elsewhere").rename(tmp_path / "jobs")
    assert next(off_hub_pieces(output(files, chunks).pieces())) == lines_of(1, 10)
