"""Whole stacks, started as a newcomer starts one: by the launcher, in a folder and on a port of their own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil

from app.run_dir import short_run_dir
from tests.factories.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
# Training the demo models, on cores that other tests use as well.
FIRST_START_S = 600.0
SECOND_START_S = 120.0
STOP_S = 90.0
JOB_ENDS_S = 120.0
UNFINISHED = "demo-models.unfinished"
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
    variables: dict[str, str] = field(default_factory=dict)
    """Settings besides, for all processes of the stack."""

    @property
    def url(self) -> str:
        """Where gunicorn listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of the stack."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        own = {"VAR_DIR": str(self.var_dir), "HOST": "127.0.0.1", "PORT": str(self.port)}
        return {**inherited, **own, **self.variables}

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
        [supervisord] = [process for process in below if "stack.supervisord" in title_of(process)]
        return [process for process in supervisord.children() if title in title_of(process)]

    def log_of(self, part: str) -> str:
        """Return what a part has logged."""
        return (self.var_dir / "log" / f"{part}.log").read_text(errors="replace")

    def supervisorctl(self, *words: str) -> str:
        """Do as an operator would with `supervisorctl`; return what it said."""
        config = short_run_dir(self.var_dir) / "supervisord.conf"
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(config), *words]
        result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        # It exits with 3 where a part is not running, which it also says.
        assert result.returncode in (0, 3), result.stdout + result.stderr
        return result.stdout

    def token(self) -> str:
        """Return a fresh token of the admin client, as `make token` prints it."""
        command = [sys.executable, "-m", "deploy.stack", "token"]
        result = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return result.stdout.strip()

    def client(self, url: str | None = None) -> httpx.Client:
        """Return an HTTP client of the admin, for gunicorn or whatever stands in front of it."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        return httpx.Client(base_url=url or self.url, headers=headers, timeout=30)

    def new_clients_token(self, *scopes: str) -> str:
        """Make a client with these scopes, by default one that may only ask for answers; return a token of it."""
        with self.client() as admin:
            issued = admin.post("/api/v1/clients", json={"scopes": scopes or ["infer"]}).raise_for_status().json()
        form = {"grant_type": "client_credentials"} | {name: issued[name] for name in ("client_id", "client_secret")}
        token: str = httpx.post(f"{self.url}/auth/token", data=form).raise_for_status().json()["access_token"]
        return token

    @property
    def _log(self) -> Path:
        return self.var_dir / "launcher.log"


def classify(client: httpx.Client, picture: bytes) -> httpx.Response:
    """Send one picture to the demo model, past the cache."""
    files = {"image": ("picture.png", picture, "image/png")}
    return client.post(CLASSIFICATIONS, files=files, headers={"Cache-Control": "no-store"})


def ended_job(client: httpx.Client, posted: httpx.Response) -> str:
    """Wait until the job that was posted has succeeded; return its id. Asked too often, it asks again."""
    assert posted.status_code == httpx.codes.ACCEPTED, posted.text
    job = posted.json()

    def has_ended() -> bool:
        answer = client.get(posted.headers["Location"])
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            job.update(answer.json())
        return job["state"] not in ("queued", "running")

    wait_until(has_ended, timeout_s=JOB_ENDS_S)
    assert job["state"] == "succeeded", job
    return str(job["id"])


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
def running_stack(
    like: Stack | None = None, *, parent: Path | None = None, variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Stack]:
    """Run a stack in a short-lived folder; `like` lends its store, clients and database, so that nothing is trained.

    `parent` is where the folder is made; by default it is where the system has its temporary files. `variables` are
    settings besides; with a DATABASE_URL among them the stack takes up lent models as after the loss of a database.
    """
    with tempfile.TemporaryDirectory(prefix="galley-e2e-", dir=parent) as folder:
        stack = Stack(var_dir=Path(folder), variables=dict(variables))
        if like is not None:
            _lend(like.var_dir, stack)
        stack.start()
        try:
            stack.wait_ready(SECOND_START_S if like else FIRST_START_S)
            yield stack
        finally:
            if stack.is_alive():
                stack.stop()


def _lend(source: Path, stack: Stack) -> None:
    target = stack.var_dir
    for name in ("store", "samples", "secrets"):
        shutil.copytree(source / name, target / name)
    # Its database knows the jobs that it has had; what is being written just now is nobody's yet.
    if (source / "jobs").is_dir():
        shutil.copytree(source / "jobs", target / "jobs", ignore=shutil.ignore_patterns(".staging"))
    if not stack.variables.keys().isdisjoint({"DATABASE_URL", "DATABASE_URL_FILE"}):
        # The launcher takes it for a first start that was interrupted, and makes up for what the database lacks.
        (target / UNFINISHED).touch()
        return

    for name in ("admin.env", *(path.name for path in source.glob("galley.db*"))):
        shutil.copy2(source / name, target / name)
