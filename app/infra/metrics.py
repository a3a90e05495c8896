"""Prometheus metrics across processes: each service writes to a folder of its own, one scrape reads them all.

prometheus_client keeps one memory-mapped file per process and metric type (`counter_PID.db`). What a dead process
counted is folded (metric_folding.py); what the living ones count is read where it lies (metric_files.py).
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest

from app.infra.metric_files import MetricsFiles
from app.infra.metric_folding import fold_dead_processes
from app.infra.metric_series import Series, SeriesTable
from app.infra.metric_text import Layout
from app.infra.off_hub import off_hub

logger = logging.getLogger(__name__)

# The folder of web workers. Who lives is known of them alone: other services may have process ids of their own.
WEB: Final = "web"
# What only the statistics of the Open Inference Protocol tell, which are exact: each size of a batch is a label there,
# up to 4096 of them in four series, and one such version would be more than all others in each scrape.
NOT_TOLD: Final = frozenset({"galley_runner_batch_size", "galley_runner_batch_seconds"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

PROBLEMS = Counter("galley_problems", "Failures answered to clients, by their code.", ["code"])
REFUSED = Counter(
    "galley_refused",
    "Requests refused before a runner was asked, for want of room in the web worker or the runner (place). The code"
    " says whether the caller was over its share (share_exceeded) or there was room for nobody (queue_full).",
    ["place", "code"],
)


class MetricsReader:
    """Reads the metrics of all processes, again and again: what it knows of their files, it remembers.

    The files are read off the hub, one call after the other.
    """

    def __init__(self) -> None:
        self._table = SeriesTable()
        self._files = MetricsFiles(self._table)
        self._laid_out = -1
        self._layout = Layout(())
        self._turn = threading.Lock()

    def samples(self, folders: Sequence[Path]) -> list[tuple[Series, float]]:
        """Return all series in these folders, each of a service; of a histogram what fell into each bucket."""
        with self._turn:
            return off_hub(self._samples, folders)

    def text(self, folders: Sequence[Path]) -> bytes:
        """Return them in Prometheus' text format, but for those of NOT_TOLD."""
        with self._turn:
            return off_hub(self._text, folders)

    def _samples(self, folders: Sequence[Path]) -> list[tuple[Series, float]]:
        values = self._files.read(_existing(folders))
        return [(self._table.all[number], values[number]) for number in self._files.living()]

    def _text(self, folders: Sequence[Path]) -> bytes:
        values = self._files.read(_existing(folders))
        if self._laid_out != self._files.generation:
            living = ((number, self._table.all[number]) for number in self._files.living())
            told = ((number, series) for number, series in living if series.family not in NOT_TOLD)
            self._layout, self._laid_out = Layout(told), self._files.generation
        return self._layout.text(values)


class Exposition:
    """What `/metrics` tells of processes."""

    def __init__(self, metrics_dir: Path, own: CollectorRegistry = REGISTRY) -> None:
        self.own = own
        """Where this process counts."""
        self._metrics_dir = metrics_dir
        self._reader = MetricsReader()

    def text(self) -> bytes:
        """Return all services' metrics in Prometheus' text format.

        Without any metrics file (a lone process that was not told to share) this process's own are what there is.
        """
        if next(self._metrics_dir.glob("*/*.db"), None) is None:
            return generate_latest(self.own)

        off_hub(self._fold_orphans)
        return self._reader.text(sorted(self._metrics_dir.iterdir()))

    def _fold_orphans(self) -> None:
        """Fold web workers that outlived their master: nobody saw them end."""
        web = self._metrics_dir / WEB
        try:
            if web.is_dir():
                fold_dead_processes(web, patience_s=0.0)
        except OSError as err:
            # A folder that is not this user's, say: what there is can be told all the same.
            logger.warning("what dead web workers counted is folded later: %s", err)


def _existing(folders: Sequence[Path]) -> list[Path]:
    return [folder for folder in folders if folder.is_dir()]
