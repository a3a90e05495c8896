"""Inputs that are cut as a test says, and what their chunks are."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.db.repositories.job_chunks import ChunkDraft, JobChunkRepository
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_runs import JobRuns
from workers.batch import input_cut


class Cuts:
    """Stands for a reader: cuts a row per chunk, and does what a test has it do before the second."""

    def __init__(self, count: int, act: object = None) -> None:
        self.limits: list[ChunkLimits] = []
        self._count = count
        self._act = act

    def plan(self, limits: ChunkLimits) -> Iterator[ChunkDraft]:
        self.limits.append(limits)
        for number in range(0, self._count, limits.most_rows):
            if number and callable(self._act):
                self._act()
            rows = min(limits.most_rows, self._count - number)
            yield ChunkDraft(first_row=number + 1, row_count=rows, place={})


def parquet_of(count: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"user_id": [1] * count}), file)
    return file.getvalue()


def read_with(monkeypatch: pytest.MonkeyPatch, cuts: Cuts) -> Cuts:
    monkeypatch.setattr(input_cut, "open_reader", lambda *_: cuts)
    return cuts


def chunks_of(runs: JobRuns, job_id: str) -> list[tuple[int, int]]:
    with runs.database.read() as session:
        return [(chunk.first_row, chunk.row_count) for chunk in JobChunkRepository(session).of_job(job_id)]
