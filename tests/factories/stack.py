"""Whole stacks, started as a newcomer starts one: by the launcher, in a folder and on a port of their own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from tests.factories.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Training the demo models, on cores that other tests use as well.
FIRST_START_S = 240.0
SECOND_START_S = 60.0
STOP_S = 90.0
CLASSIFICATIONS = "/api/v1/images/classifications"


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Stack:
    """One running stack."""

    var_dir: Path
    port: int = field(default_factory=free_port)
    launcher: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where gunicorn listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of the stack."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        return {**inherited, "VAR_DIR": str(self.var_dir), "HOST": "127.0.0.1", "PORT": str(self.port)}

    @property
    def picture(self) -> Path:
        """A picture that the demo model knows."""
        return next(iter(sorted((self.var_dir / "samples").glob("digit-7*.png"))))

    def start(self) -> None:
        """Start the launcher; returns at once."""
        with self._log.open("ab") as log:
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "deploy.stack", "run", "--end-with-parent"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self, timeout_s: float = SECOND_START_S) -> None:
        """Wait until the launcher says that the stack is ready."""
        wait_until(lambda: "Galley is ready" in self.said() or not self.is_alive(), timeout_s=timeout_s)
        assert self.is_alive(), self.said()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask the launcher to end and wait for it; return its exit status."""
        assert self.launcher is not None
        self.launcher.send_signal(number)
        return self.launcher.wait(STOP_S)

    def is_alive(self) -> bool:
        """Say whether the launcher runs."""
        return self.launcher is not None and self.launcher.poll() is None

    def said(self) -> str:
        """Return all that the launcher wrote to the terminal."""
        return self._log.read_text()

    def curl_line(self) -> str:
        """Return the line that the launcher offers to paste."""
        found = re.search(r"^ +(curl .*)$", self.said(), re.MULTILINE)
        assert found is not None, self.said()
        return found.group(1)

    def processes(self) -> list[psutil.Process]:
        """Return the launcher and every process below it."""
        assert self.launcher is not None
        launcher = psutil.Process(self.launcher.pid)
        return [launcher, *launcher.children(recursive=True)]

    def find(self, title: str) -> list[psutil.Process]:
        """Return the stack's processes whose command line or title holds `title`."""
        return [process for process in self.processes() if title in title_of(process)]

    def part(self, title: str) -> list[psutil.Process]:
        """Return the processes of that title that supervisord itself keeps up."""
        assert self.launcher is not None
        # Of its own children those in the middle of a start still bear supervisord's title.
        below = psutil.Process(self.launcher.pid).children()
        [supervisord] = [process for process in below if "supervisor.supervisord" in title_of(process)]
        return [process for process in supervisord.children() if title in title_of(process)]

    def log_of(self, part: str) -> str:
        """Return what a part has logged."""
        return (self.var_dir / "log" / f"{part}.log").read_text(errors="replace")

    def token(self) -> str:
        """Return a fresh token of the admin client, as `make token` prints it."""
        command = [sys.executable, "-m", "deploy.stack", "token"]
        result = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return result.stdout.strip()

    def client(self, url: str | None = None) -> httpx.Client:
        """Return an HTTP client of the admin, for gunicorn or whatever stands in front of it."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        return httpx.Client(base_url=url or self.url, headers=headers, timeout=30)

    @property
    def _log(self) -> Path:
        return self.var_dir / "launcher.log"


def classify(client: httpx.Client, picture: bytes) -> httpx.Response:
    """Send one picture to the demo model."""
    return client.post(CLASSIFICATIONS, files={"image": ("picture.png", picture, "image/png")})


def is_ready(stack: Stack) -> bool:
    """Say whether the stack answers and is ready."""
    try:
        return httpx.get(f"{stack.url}/health/ready").is_success
    except httpx.HTTPError:
        return False


def title_of(process: psutil.Process) -> str:
    """Return a process's command line, or nothing when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def running_stack(like: Stack | None = None) -> Iterator[Stack]:
    """Run a stack in a short-lived folder; `like` lends its store, clients and database, so that nothing is trained."""
    with tempfile.TemporaryDirectory(prefix="galley-e2e-") as folder:
        stack = Stack(var_dir=Path(folder))
        if like is not None:
            _lend(like.var_dir, stack.var_dir)
        stack.start()
        try:
            stack.wait_ready(SECOND_START_S if like else FIRST_START_S)
            yield stack
        finally:
            if stack.is_alive():
                stack.stop()


def _lend(source: Path, target: Path) -> None:
    for name in ("store", "samples", "secrets"):
        shutil.copytree(source / name, target / name)
    for name in ("admin.env", *(path.name for path in source.glob("galley.db*"))):
        shutil.copy2(source / name, target / name)
