"""Loading beside the socket: a thread of low priority proves the version while the runner answers how it is."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.errors import GalleyError
from workers.runner.batch import BatchRunner
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

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # On Linux niceness belongs to the thread, so serving is not slowed once this one is gone.
        os.nice(NICENESS)
        started = time.monotonic()
        try:
            model, proof = load_and_prove(self._folder, digest=self._digest, limits=self._limits)
            self.proven = (BatchRunner(model, make_pipelines(model.manifest, self._limits)), proof)
        except GalleyError as err:
            self.reason = err.detail
        except Exception:
            # A last line of defence: the artifact is foreign, and the runner has to say that it failed.
            logger.exception("loading %s failed", self._folder)
            self.reason = "Loading failed with an unexpected error; the runner's log has it."
        self.took_s = time.monotonic() - started
        self.is_done = True
        self._on_done()
