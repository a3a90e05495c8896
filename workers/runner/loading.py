"""Loading beside the socket: a thread of low priority proves the version while the runner answers how it is."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.errors import GalleyError
from workers.runner.assets import Assets
from workers.runner.batch import BatchRunner
from workers.runner.device import start_fork_pool
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.registry import make_pipelines
from workers.runner.proof import Proof, load_and_prove

logger = logging.getLogger(__name__)

NICENESS = 10


class Loading:
    """One load. `is_done` turns true once, after the other fields were set; then `on_done` is called."""

    def __init__(self, folder: Path, *, digest: str, limits: Limits, on_done: Callable[[], None]) -> None:
        self.is_done = False
        self.proven: tuple[BatchRunner, Proof] | None = None
        self.reason = ""
        self.took_s = 0.0
        self._folder = folder
        self._digest = digest
        self._limits = limits
        self._on_done = on_done
        # A daemon: a runner that is told to end while it loads does not wait for it.
        self._thread = threading.Thread(target=self._run, name="galley-loading", daemon=True)
        self._full_priority = ThreadPoolExecutor(1, thread_name_prefix="galley-full-priority")

    def start(self) -> None:
        """Begin."""
        # Its thread is made by this call: a thread inherits the niceness of the one that makes it.
        self._full_priority.submit(_nothing)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # On Linux niceness belongs to the thread: without privileges none gets it back, but this one ends.
        os.nice(NICENESS)
        started = time.monotonic()
        try:
            model, proof = load_and_prove(
                self._folder, digest=self._digest, limits=self._limits, on_opened=self._start_what_stays
            )
            assets = Assets.of(self._folder, model.manifest)
            self.proven = (BatchRunner(model, make_pipelines(model.manifest, self._limits, assets)), proof)
        except GalleyError as err:
            self.reason = err.detail
        except Exception:
            # A last line of defence: the artifact is foreign, and the runner has to say that it failed.
            logger.exception("loading %s failed", self._folder)
            self.reason = "Loading failed with an unexpected error; the runner's log has it."
        self._full_priority.shutdown()
        self.took_s = time.monotonic() - started
        self.is_done = True
        self._on_done()

    def _start_what_stays(self, model: LoadedModel) -> None:
        """Let no thread of this load's niceness stay to serve."""
        if model.forks:
            self._full_priority.submit(start_fork_pool).result()


def _nothing() -> None:
    """Have a pool make its thread."""
