"""A controller in a process of its own, with a real Redis, a real database and a real store, for tests to torment."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from torch import nn

from app.inference.directory import RunnerRecord
from app.inference.directory_reader import DirectoryReader
from app.settings import Settings
from model_store.model_ref import ModelRef
from tests.factories.database import migrate
from tests.factories.models import model_draft
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.settings import TEST_SECRET, make_settings
from tests.factories.versions import accept
from tests.factories.waiting import wait_until
from workers.bootstrap import WorkerParts, assemble

ROOT = Path(__file__).parents[2]
RUNNER_TITLE = "galley-runner"
# The first runner waits for the forkserver to import torch.
COLD_START_S = 60.0


class ControllerStage:
    """Everything below the web tier. `start_controller` may be called again after `kill_controller`."""

    def __init__(self, folder: Path, server: RedisServer, **changes: float) -> None:
        self.redis_server = server
        self.settings: Settings = make_settings(folder, redis_url=server.url, heartbeat_s=0.2, **changes)
        self.parts: WorkerParts = assemble(self.settings)
        self.directory: DirectoryReader = self.parts.directory
        self.log = folder / "controller.log"
        # In every title: how this stage's runners are told from others, whoever started them.
        self.token = secrets.token_hex(4)
        self._folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": tempfile.gettempdir(),
            "VAR_DIR": str(folder),
            "REDIS_URL": server.url,
            "JWT_SECRET": TEST_SECRET,
            "HEARTBEAT_S": "0.2",
            "PROMETHEUS_MULTIPROC_DIR": str(self.settings.metrics_dir / "controller"),
            **{name.upper(): str(value) for name, value in changes.items()},
        }
        self._controller: subprocess.Popen[bytes] | None = None
        for service in ("controller", "runners"):
            (self.settings.metrics_dir / service).mkdir(parents=True)
        migrate(self.settings.database_url)
        self.directory.start()

    @property
    def controller_pid(self) -> int:
        """The pid of the running controller."""
        assert self._controller is not None
        return self._controller.pid

    def controller_children(self) -> list[psutil.Process]:
        """Return the processes that the running controller started itself: its forkserver and Python's tracker."""
        return psutil.Process(self.controller_pid).children()

    def start_controller(self) -> None:
        """Start a controller; returns at once."""
        with self.log.open("ab") as log:
            self._controller = subprocess.Popen(
                [sys.executable, "-m", "workers.controller"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )

    def run_second_controller(self) -> int:
        """Try to start another controller beside the running one; return its exit code."""
        command = [sys.executable, "-m", "workers.controller"]
        return subprocess.run(command, check=False, cwd=ROOT, env=self.environment, timeout=60).returncode

    def kill_controller(self) -> None:
        """End the controller as a crash would."""
        self._end(signal.SIGKILL)

    def stop_controller(self) -> int:
        """Ask the controller to end, wait for it, and return its exit code."""
        return self._end(signal.SIGTERM)

    @contextmanager
    def without_runner_folder(self) -> Iterator[None]:
        """Let the controller's notes and sockets fail for the length of the block, as on a full disk."""
        folder = self.settings.run_dir / "runners"
        aside = folder.rename(folder.with_name("runners-aside"))
        yield
        aside.rename(folder)

    def publish(
        self, module: nn.Module | None = None, *, name: str = "colours", alias: str | None = None, pin: bool = False
    ) -> ModelRef:
        """Release a tiny model; the first version of a name is the default one."""
        draft = model_draft(self._folder, module, name=f"{name}-{self.token}")
        return self.parts.releases.release(draft, prove=accept, by="test", alias=alias, pin=pin)

    def wait_ready(self, ref: ModelRef, *, but_not: int = 0, timeout_s: float = COLD_START_S) -> RunnerRecord:
        """Return the READY runner of a version, once there is one that is not the process `but_not`."""
        wait_until(lambda: self._others(ref, but_not), timeout_s=timeout_s)
        return self._others(ref, but_not)[0]

    def wait_gone(self, ref: ModelRef) -> None:
        """Wait until the directory has no runner of a version."""
        wait_until(lambda: not self.directory.runners(ref), timeout_s=30.0)

    def wait_failed(self, ref: ModelRef) -> RunnerRecord:
        """Return the record of a version that cannot be loaded, once it is known."""
        wait_until(lambda: self.directory.has_failed(ref), timeout_s=COLD_START_S)
        return self.directory.runners(ref)[0]

    def runner_pids(self) -> set[int]:
        """Return the pids of all runners that live for this stage, whoever knows of them."""
        return {process.pid for process in self._runners()}

    def close(self) -> None:
        """End everything, however it stands."""
        if self._controller is not None:
            self.stop_controller()
        for process in self._runners():
            process.kill()
        self.directory.stop()
        self.parts.close()

    def _end(self, number: signal.Signals) -> int:
        assert self._controller is not None
        self._controller.send_signal(number)
        code = self._controller.wait(timeout=60)
        self._controller = None
        return code

    def _others(self, ref: ModelRef, but_not: int) -> list[RunnerRecord]:
        return [record for record in self.directory.ready(ref) if record.pid != but_not]

    def _runners(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_own(_title(process))]

    def _is_own(self, title: str) -> bool:
        return title.startswith(RUNNER_TITLE) and self.token in title


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def controller_stage(**changes: float) -> Iterator[ControllerStage]:
    """Set a stage, with settings changed, and clear it away at the end of the block. No controller runs yet."""
    folder = Path(tempfile.mkdtemp(prefix="galley-"))
    with running_redis() as server:
        stage = ControllerStage(folder, server, **changes)
        try:
            yield stage
        finally:
            stage.close()
            shutil.rmtree(folder)
