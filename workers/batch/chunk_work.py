"""The work on one chunk: its rows read, answered by the job's version, and what came of them written."""

from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kinds import find_kind
from app.services.chunk_queue import ChunkOutcome, HeldChunk
from app.services.lease_renewal import Renewal
from workers.batch.chunk_output import ChunkOutput
from workers.batch.chunk_sizes import batch_rows_of
from workers.batch.engine import Engine
from workers.batch.input_cut import version_of
from workers.batch.inputs.reader import changed_input
from workers.batch.readers import open_reader
from workers.batch.row_groups import RowRunner
from workers.bootstrap import WorkerParts


class ChunkWork:
    """What one attempt at a chunk computes. The same chunk gives the same bytes at each attempt."""

    def __init__(self, parts: WorkerParts, engine: Engine, held: HeldChunk, renewal: Renewal) -> None:
        self._parts = parts
        self._engine = engine
        self._job = held.job
        self._chunk = held.facts
        self._renewal = renewal

    def compute(self) -> ChunkOutcome:
        """Answer the rows, group by group, and write what came of them; its files are there when this returns.

        :raises LeaseLost: between two groups, when nobody wants the rest any more.
        :raises GalleyError: when the job's version or its input is not what it was, or something is away.
        """
        chunk = self._chunk
        runner = self._runner()
        reader = open_reader(self._parts.job_files, self._parts.settings, self._job)
        rows = reader.rows(chunk.place, chunk.first_row)
        with ChunkOutput(self._parts.job_files, chunk) as output:
            for group in runner.answers(rows, InputFormat(self._job.input_format)):
                self._renewal.check()
                output.results.write(group.results)
                output.errors.write(group.errors)
            done = output.results.lines + output.errors.lines
            if done != chunk.row_count:
                raise changed_input()
        return ChunkOutcome(
            done=done,
            failed=output.errors.lines,
            results=output.results.name,
            errors=output.errors.name,
        )

    def _runner(self) -> RowRunner:
        ref, digest = version_of(self._parts, self._job)
        version = self._engine.load(ref, digest)
        batch_rows = batch_rows_of(self._chunk.place, version.manifest)
        return RowRunner(
            find_kind(self._job.kind),
            version,
            parameters=self._job.parameters,
            batch_rows=batch_rows,
            variant=self._job.variant,
        )
