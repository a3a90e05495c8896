"""An input gone through once, and what its chunks are."""

from dataclasses import replace
from itertools import islice
from typing import Final

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts
from app.scenarios.job_inputs import ChunkLimits
from app.scenarios.job_kinds import find_kind
from app.services.job_lease import HeldJob
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef
from workers.batch.chunk_sizes import BATCH_ROWS, batch_rows, chunk_limits
from workers.batch.engine import Engine
from workers.batch.inputs.folder import JobFolder
from workers.batch.inputs.reader import InputReader
from workers.batch.readers import open_reader
from workers.bootstrap import WorkerParts

MOST_CHUNKS: Final = 10_000
# When there are too many chunks, the next ones are so much larger.
COARSER: Final = 4


def version_of(parts: WorkerParts, job: JobFacts) -> tuple[ModelRef, str]:
    """Return the version that answers a job's rows, and the digest of its manifest.

    :raises NotFoundError: when it was deleted.
    """
    facts = parts.releases.find(job.model_name, str(job.version))
    return facts.ref, facts.digest


class InputCut:
    """The work of cutting one job's input."""

    def __init__(self, parts: WorkerParts, engine: Engine, held: HeldJob) -> None:
        self._parts = parts
        self._engine = engine
        self._held = held

    def cut(self) -> list[ChunkDraft]:
        """Go through the input and return its chunks. If that fails, nothing of it stays on the disk.

        :raises ReaderLost: when a process that it was read by was ended from outside.
        :raises LeaseLost: when the job is another worker's, or has ended.
        """
        try:
            return self._cut()
        except Exception:
            self.discard_slices()
            raise

    def discard_slices(self) -> None:
        """Remove what was written of the input."""
        job = self._held.facts
        JobFolder(self._parts.job_files, job.id, job.attempt).discard_slices()

    def _cut(self) -> list[ChunkDraft]:
        """Cut the input, and again into larger chunks when there are too many."""
        job = self._held.facts
        ref, digest = version_of(self._parts, job)
        proof = self._engine.measure(ref, digest)
        manifest = self._parts.releases.manifest(ref)
        reader = open_reader(self._parts.job_files, self._parts.settings, job)
        limits = chunk_limits(proof, manifest, answers_tensors=find_kind(job.kind).task is None)
        while True:
            drafts = self._drafts(reader, manifest, limits)
            if len(drafts) <= MOST_CHUNKS:
                return [
                    replace(draft, place={**draft.place, BATCH_ROWS: batch_rows(proof, manifest)}) for draft in drafts
                ]
            limits = ChunkLimits(most_rows=limits.most_rows * COARSER, most_bytes=limits.most_bytes * COARSER)
            self.discard_slices()

    def _drafts(self, reader: InputReader, manifest: Manifest, limits: ChunkLimits) -> list[ChunkDraft]:
        drafts: list[ChunkDraft] = []
        for draft in islice(reader.plan(limits), MOST_CHUNKS + 1):
            self._held.check()
            if draft.place.get("slice"):
                self._parts.job_room.check()
            if not drafts and "columns" in draft.place:
                find_kind(self._held.facts.kind).check_columns(draft.place["columns"], manifest)
            drafts.append(draft)
        return drafts
