"""Inputs of jobs as tests need them: lying where a worker finds them, and read chunk by chunk."""

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec

from app.db.repositories.job_chunks import ChunkDraft
from app.infra.job_files import INPUT, JobFiles, open_job_files
from app.scenarios.job_inputs import ChunkLimits, InputRow
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import InputReader

JOB_ID = "job"
ROOMY = ChunkLimits(most_rows=10**9, most_bytes=10**12)


def stored_input(root: Path, data: bytes) -> JobFolder:
    """Return a job's folder under `root` with this input."""
    path = root / JOB_ID / INPUT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return folder_at(root)


def folder_at(root: Path) -> JobFolder:
    """Return the job's folder under `root`, whatever is in it."""
    return JobFolder(open_job_files(str(root), root / "spool"), JOB_ID)


def remote_input(data: bytes) -> JobFolder:
    """Return a job's folder with this input on a file system that is not this machine's, where the last one was."""
    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"/inputs/{JOB_ID}/{INPUT}", data)
    return JobFolder(JobFiles(memory, "/inputs", Path("/nonexistent")), JOB_ID)


def read_chunks(reader: InputReader, limits: ChunkLimits = ROOMY) -> list[list[InputRow]]:
    """Plan an input and read all its chunks, after their places went through JSON."""
    return [list(_rows(reader, draft)) for draft in list(reader.plan(limits))]


def read_rows(reader: InputReader, limits: ChunkLimits = ROOMY) -> list[InputRow]:
    """Plan an input and read all its rows."""
    return [row for rows in read_chunks(reader, limits) for row in rows]


def contents(rows: list[InputRow]) -> list[object]:
    """Return what rows hold, bad ones as their codes."""
    return [getattr(row.content, "code", row.content) for row in rows]


def _rows(reader: InputReader, draft: ChunkDraft) -> Iterator[InputRow]:
    rows = list(reader.rows(json.loads(json.dumps(draft.place)), draft.first_row))
    assert [row.number for row in rows] == [*range(draft.first_row, draft.first_row + draft.row_count)]
    yield from rows
