"""The child process that is a runner: what it is told, its title, its signals, its exit code.

NOTE: the controller imports this module to name `run_runner` to its forkserver and must stay free of torch,
so everything else of this room is imported by name, in the child.
"""

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from setproctitle import setproctitle

from app.infra.log_setup import setup_logging
from app.infra.metric_room import take_room_for_metrics
from app.infra.process_meter import ProcessMeter
from model_store.model_ref import ModelRef

BODY_MODULE = "workers.runner.body"


@dataclass(frozen=True, kw_only=True)
class RunnerSpec:
    """What a runner is told at birth."""

    ref: ModelRef
    digest: str
    """SHA-256 of the manifest's bytes; the runner serves nothing else."""
    folder: Path
    """The version's folder on this machine."""
    address: str
    """ZeroMQ endpoint to bind."""
    queue_rows: int
    """Rows that may wait; more are refused."""
    threads: int
    """Compute threads of a heavy model; 0 takes one per core."""
    max_image_pixels: int
    """Largest picture, by the size its header claims."""
    drain_s: float
    """Longest a drain may take."""
    state_redis_url: str
    """Where sequences are remembered; nobody connects before one is named."""
    redis_timeout_s: float
    """Longest that Redis may keep a batch waiting."""
    log_level: str = "info"
    metrics_dir: Path | None = None
    """Folder of the Prometheus files."""


def process_title(ref: ModelRef) -> str:
    """Return what `ps` shows for a runner of `ref`."""
    return f"galley-runner {ref}"


def run_runner(spec: RunnerSpec) -> None:
    """Be a runner until told to end: by SIGTERM, by a drain request, or ten seconds after a failed load.

    :raises SystemExit: 0 after a drain, 1 after a failed load.
    """
    setproctitle(process_title(spec.ref))
    setup_logging(spec.log_level)
    with _measured(spec.metrics_dir):
        code = _run_body(spec)
    sys.exit(code)


@contextmanager
def _measured(metrics_dir: Path | None) -> Iterator[None]:
    """Note what this process takes from its beginning to its end, if it has a place for that."""
    if metrics_dir is None:
        yield
        return

    # The forkserver's is the controller's.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_dir)
    take_room_for_metrics()
    meter = ProcessMeter("runner")
    meter.start()
    try:
        yield
    finally:
        meter.stop()


def _run_body(spec: RunnerSpec) -> int:
    body = importlib.import_module(BODY_MODULE).RunnerBody(spec)

    def drain(_signal: int, _frame: FrameType | None) -> None:
        body.drain()

    body.hear_signals()
    signal.signal(signal.SIGTERM, drain)
    # Ctrl-C reaches the whole process group; who stops first is the controller's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code: int = body.run()
    return code
