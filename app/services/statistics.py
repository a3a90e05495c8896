"""What each version has done, summed over all its runners, dead ones too: the protocol's statistics."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client.samples import Sample

from app.infra.metrics import merge_folder
from app.infra.off_hub import off_hub
from model_store.model_ref import ModelRef


@dataclass(slots=True)
class Total:
    """How often something was done, and how many nanoseconds that took in all."""

    count: int = 0
    ns: int = 0


@dataclass(kw_only=True, slots=True)
class BatchStatistics:
    """The executions of one batch size, and the time of each stage."""

    executions: int = 0
    stage_ns: dict[str, int] = field(default_factory=dict)

    def total(self, stage: str) -> Total:
        """Return the total of one stage: each execution passes each stage once."""
        return Total(self.executions, self.stage_ns.get(stage, 0))


@dataclass(kw_only=True, slots=True)
class VersionStatistics:
    """One version: its requests by stage and outcome, its executions by batch size."""

    last_inference_ms: int = 0
    stages: dict[str, Total] = field(default_factory=lambda: defaultdict(Total))
    batches: dict[int, BatchStatistics] = field(default_factory=lambda: defaultdict(BatchStatistics))

    @property
    def inference_count(self) -> int:
        """How many rows were run: a batch of 64 adds 64."""
        return sum(size * batch.executions for size, batch in self.batches.items())

    @property
    def execution_count(self) -> int:
        """How many times the model ran."""
        return sum(batch.executions for batch in self.batches.values())

    def stage(self, name: str) -> Total:
        """Return the total of a stage or an outcome."""
        return self.stages.get(name, Total())


_Read = Callable[[VersionStatistics, Sample], None]


def _stage_count(version: VersionStatistics, sample: Sample) -> None:
    version.stages[sample.labels["stage"]].count = int(sample.value)


def _stage_seconds(version: VersionStatistics, sample: Sample) -> None:
    version.stages[sample.labels["stage"]].ns = _ns(sample.value)


def _batch_count(version: VersionStatistics, sample: Sample) -> None:
    version.batches[int(sample.labels["batch_size"])].executions = int(sample.value)


def _batch_seconds(version: VersionStatistics, sample: Sample) -> None:
    version.batches[int(sample.labels["batch_size"])].stage_ns[sample.labels["stage"]] = _ns(sample.value)


def _last_inference(version: VersionStatistics, sample: Sample) -> None:
    version.last_inference_ms = int(sample.value)


# What of the runners' metrics (workers/runner/metrics.py) is read, and what it means.
_READERS: Final[Mapping[str, _Read]] = {
    "galley_runner_stage_total": _stage_count,
    "galley_runner_stage_seconds_total": _stage_seconds,
    "galley_runner_batch_size_total": _batch_count,
    "galley_runner_batch_seconds_total": _batch_seconds,
    "galley_runner_last_inference_ms": _last_inference,
}


@dataclass(frozen=True)
class Statistics:
    """All versions at one moment, by `name/version`."""

    versions: Mapping[str, VersionStatistics]

    def of(self, ref: ModelRef) -> VersionStatistics:
        """Return the statistics of one version: all zero when it never ran."""
        return self.versions.get(str(ref)) or VersionStatistics()

    def has(self, ref: ModelRef) -> bool:
        """Tell whether a version ever ran."""
        return str(ref) in self.versions


class StatisticsService:
    """Reads the runners' metrics files, which all web workers share, so that each of them tells the same."""

    def __init__(self, runners_dir: Path) -> None:
        self._runners_dir = runners_dir

    def read(self) -> Statistics:
        """Return what all versions have done up to now; the files are read off the hub.

        Nothing is remembered: who has just got an answer finds it counted, whichever worker is asked.
        """
        return Statistics(off_hub(_read, self._runners_dir))


def _read(runners_dir: Path) -> dict[str, VersionStatistics]:
    return _summed(sample for metric in merge_folder(runners_dir) for sample in metric.samples)


def _summed(samples: Iterable[Sample]) -> dict[str, VersionStatistics]:
    versions: dict[str, VersionStatistics] = defaultdict(VersionStatistics)
    for sample in samples:
        read = _READERS.get(sample.name)
        if read:
            read(versions[f"{sample.labels['model']}/{sample.labels['version']}"], sample)
    return dict(versions)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
