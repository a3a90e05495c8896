"""What each version has done, summed over all that ran it, dead processes too: the protocol's statistics."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.infra.metric_series import Series
from app.infra.metrics import MetricsReader
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


_Read = Callable[[VersionStatistics, Series, float], None]


def _stage_count(version: VersionStatistics, series: Series, value: float) -> None:
    version.stages[series.labels["stage"]].count = int(value)


def _stage_seconds(version: VersionStatistics, series: Series, value: float) -> None:
    version.stages[series.labels["stage"]].ns = _ns(value)


def _batch_count(version: VersionStatistics, series: Series, value: float) -> None:
    version.batches[int(series.labels["batch_size"])].executions = int(value)


def _batch_seconds(version: VersionStatistics, series: Series, value: float) -> None:
    version.batches[int(series.labels["batch_size"])].stage_ns[series.labels["stage"]] = _ns(value)


def _last_inference(version: VersionStatistics, _series: Series, value: float) -> None:
    version.last_inference_ms = int(value)


# What of the metrics of runners (workers/runner/metrics.py) is read, and what it means. Celery's processes count in the
# same way what they answer.
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
    """Reads the metrics files of whatever runs models, which all web workers share: each of them tells the same."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._reader = MetricsReader()

    def read(self) -> Statistics:
        """Return what all versions have done up to now.

        No value is remembered: who has just got an answer finds it counted, whichever worker is asked.
        """
        return Statistics(_summed(self._reader.samples(self._folders)))


def _summed(samples: Iterable[tuple[Series, float]]) -> dict[str, VersionStatistics]:
    versions: dict[str, VersionStatistics] = defaultdict(VersionStatistics)
    for series, value in samples:
        read = _READERS.get(series.name)
        if read:
            read(versions[f"{series.labels['model']}/{series.labels['version']}"], series, value)
    return dict(versions)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
