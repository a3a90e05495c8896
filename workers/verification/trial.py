"""The trial of one artifact: it is opened, its signature completed, and the proof run and measured step by step.

For the limited process; or for this one, when the artifact was made here and is trusted.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from app.errors import UnloadableArtifact
from model_store.code_scan import scan_records
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, Manifest, Measured, MeasuredBatch, decode_draft
from workers.runner.loaded_model import MODEL_ERRORS, last_line
from workers.runner.pipelines.base import Limits
from workers.runner.proof import Proof, ProofStep, prove
from workers.verification.meter import Meter
from workers.verification.report import Found
from workers.verification.signature import complete_signature
from workers.verification.verdict import Verdict, make_verdict

# Seconds that growing batches may take; more than a runner gives them at each load.
BATCHES_S = 10.0
LOADING = "loading the artifact"
FIRST_BATCH = "running a batch of 1"


class TorchRecords:
    """An archive's records as torch itself reads them: what the scan saw in the zip file must be there as well."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = torch._C.PyTorchFileReader(str(path))
        except MODEL_ERRORS as err:
            raise UnloadableArtifact(f"The artifact is not a whole TorchScript archive: {last_line(err)}") from err

    def names(self) -> list[str]:
        """Return the names of all records."""
        return list(self._reader.get_all_records())

    def read(self, name: str) -> bytes:
        """Return a record's bytes."""
        return bytes(self._reader.get_record(name))


class Trial:
    """One trial. `report` hears of each step before it is taken."""

    def __init__(self, *, limits: Limits, report: Callable[[str], None]) -> None:
        self.step = "starting"
        self._limits = limits
        self._report = report
        self._meter = Meter()

    def run(self, folder: Path) -> Found:
        """Return what the artifact in `folder` is and how it ran.

        :raises StoreError: the first thing that is wrong.
        """
        self._begin(ProofStep("reading the archive"))
        # Again, as torch itself reads the file: what it finds there is what it will run.
        scan_records(TorchRecords(folder / ARTIFACT_FILE))
        draft = decode_draft((folder / MANIFEST_FILE).read_bytes())
        self._begin(ProofStep("deriving the signature"))
        manifest = complete_signature(folder, draft)
        _model, proof = prove(folder, manifest, limits=self._limits, budget_s=BATCHES_S, follow=self._begin)
        self._meter.close()
        return _found(manifest, proof, self._meter)

    def _begin(self, step: ProofStep) -> None:
        self.step = step.name
        self._report(step.name)
        self._meter.begin(step.name)


def verify_here(folder: Path, *, limits: Limits, report: Callable[[str], None]) -> Verdict:
    """Try the staged version in `folder` out in this process: for models whose code is this project's own.

    :raises StoreError: the first thing that is wrong.
    """
    draft = decode_draft((folder / MANIFEST_FILE).read_bytes())
    return make_verdict(draft, Trial(limits=limits, report=report).run(folder))


def _found(manifest: Manifest, proof: Proof, meter: Meter) -> Found:
    loading, first = meter.uses[LOADING], meter.uses[FIRST_BATCH]
    batches = [
        MeasuredBatch(
            batch_size=size, seconds=seconds, memory_bytes=meter.uses[f"running a batch of {size}"].added_at_peak
        )
        for size, seconds in sorted(proof.seconds.items())
    ]
    measured = Measured(
        load_s=loading.seconds,
        memory_bytes=max(0, first.bytes_after - loading.bytes_before),
        is_batch_safe=proof.is_batch_safe,
        batches=batches,
    )
    most = manifest.max_batch_size if proof.is_batch_safe else 1
    return Found(manifest.inputs, manifest.outputs, most, measured)
