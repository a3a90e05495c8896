"""The versions that a child of the pool holds in memory to run jobs' rows, the ones used last."""

import logging
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model_store.manifest import Manifest
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from workers.runner.assets import Assets
from workers.runner.batch import BatchRunner
from workers.runner.device import use_torch_threads
from workers.runner.loader import check_files, load_model, read_manifest
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.image_decoding import silence_pillow
from workers.runner.pipelines.registry import make_pipelines
from workers.runner.proof import Proof, load_and_prove
from workers.runner.sequence_store import SequenceStore
from workers.runner.sequences import SequenceRunner

logger = logging.getLogger(__name__)

# However small they are: each keeps what torch compiled for it.
MOST_VERSIONS: Final = 8


@dataclass(frozen=True, kw_only=True)
class LoadedVersion:
    """A version in memory, ready to run rows."""

    ref: ModelRef
    runner: SequenceRunner
    manifest: Manifest
    memory_bytes: int
    """What it takes, as verification measured it; at least the size of its files."""


class Engine:
    """Loads versions as a runner does, their files hashed first, and forgets those that were not used for longest.

    Rows that go on with a sequence find it in `sequences`, as in any runner. Made after the pool has forked. One thread
    at a time.
    """

    def __init__(
        self,
        store: ModelStore,
        limits: Limits,
        sequences: SequenceStore,
        *,
        most_bytes: int,
        most_versions: int = MOST_VERSIONS,
    ) -> None:
        self._store = store
        self._limits = limits
        self._sequences = sequences
        self._most_bytes = most_bytes
        self._most_versions = most_versions
        self._held: OrderedDict[tuple[ModelRef, str], LoadedVersion] = OrderedDict()
        silence_pillow()

    @property
    def held(self) -> list[ModelRef]:
        """The versions in memory, the one used last at the end."""
        return [ref for ref, _ in self._held]

    def load(self, ref: ModelRef, digest: str) -> LoadedVersion:
        """Return a version, from memory where it is there; `digest` is that of its manifest.

        The calling thread's torch calls take one thread from now on.

        :raises StoreError: when it cannot be reached, or cannot be trusted.
        :raises VersionNotFound: when it is gone.
        """
        use_torch_threads(1)
        key = (ref, digest)
        if key not in self._held:
            folder = self._store.local_folder(ref, digest=digest)
            manifest = read_manifest(folder, digest=digest)
            # Before, not after: at no time are there more than there may be.
            self._make_room(_memory_bytes(manifest))
            self._held[key] = self._load(folder, ref, manifest)
            logger.info("%s is loaded for jobs; held are %s", ref, ", ".join(map(str, self.held)))
        self._held.move_to_end(key)
        return self._held[key]

    def measure(self, ref: ModelRef, digest: str) -> Proof:
        """Return how fast a version is, and in which batches: as verification found, or else found out here.

        :raises StoreError: as `load` does.
        :raises VersionNotFound: when it is gone.
        """
        folder = self._store.local_folder(ref, digest=digest)
        measured = measured_proof(read_manifest(folder, digest=digest))
        if measured is not None:
            return measured

        _model, proof = load_and_prove(folder, digest=digest, limits=self._limits)
        return proof

    def _load(self, folder: Path, ref: ModelRef, manifest: Manifest) -> LoadedVersion:
        check_files(folder, manifest)
        pipelines = make_pipelines(manifest, self._limits, Assets.of(folder, manifest))
        runner = SequenceRunner(BatchRunner(load_model(folder, manifest), pipelines), self._sequences)
        return LoadedVersion(ref=ref, runner=runner, manifest=manifest, memory_bytes=_memory_bytes(manifest))

    def _make_room(self, needed_bytes: int) -> None:
        while self._held and not self._has_room(needed_bytes):
            (ref, _), _version = self._held.popitem(last=False)
            logger.info("%s made room for another version", ref)

    def _has_room(self, needed_bytes: int) -> bool:
        held_bytes = sum(version.memory_bytes for version in self._held.values())
        return len(self._held) < self._most_versions and held_bytes + needed_bytes <= self._most_bytes


def measured_proof(manifest: Manifest) -> Proof | None:
    """Return what verification measured, if it did."""
    measured = manifest.measured
    if measured is None or not measured.batches:
        return None

    seconds = {batch.batch_size: batch.seconds for batch in measured.batches}
    usable = {size: took for size, took in seconds.items() if size <= manifest.max_batch_size and took > 0}
    return Proof(seconds=usable, is_batch_safe=measured.is_batch_safe) if usable else None


def _memory_bytes(manifest: Manifest) -> int:
    files = sum(entry.size_bytes for entry in manifest.files.values())
    return max(files, manifest.measured.memory_bytes if manifest.measured else 0)
