"""A stack of the benchmark's own: started by the launcher on an empty folder and a free port, ended like by Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.run_dir import short_run_dir
from tests.factories import stack as factory
from tests.load.processes import ProcessFacts, stack_facts

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 900
STOP_LIMIT_S = 60
POLL_S = 0.1
# Some put nginx in front of it.
TRUSTED_PROXIES = "1"
# The launcher says so once the demo models are published and every part is ready.
READY_LINE = "Galley is ready at"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A running stack: where it listens, who may call it, and which process started it."""

    url: str
    token: str
    launcher_pid: int
    environment: dict[str, str]

    def facts(self) -> list[ProcessFacts]:
        """Return every process of the stack."""
        return stack_facts(self.launcher_pid)

    @property
    def redis_url(self) -> str:
        """Where its Redis listens: at a socket in its folder, unless REDIS_URL names another."""
        run_dir = short_run_dir(Path(self.environment["VAR_DIR"]))
        return self.environment.get("REDIS_URL") or f"unix://{run_dir}/redis.sock"

    def token_of_new_client(self, *scopes: str) -> str:
        """Make one more client with these scopes and return a token of its."""
        issued = self.call("POST", "/api/v1/clients", json={"scopes": list(scopes)}).json()
        return fresh_token(self.url, issued["client_id"], issued["client_secret"])

    def flask(self, *arguments: str) -> None:
        """Run a `flask` command against the stack's folder.

        :raises subprocess.CalledProcessError: when it fails; its output went to the terminal.
        """
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def publish(self, artifact: Path, name: str) -> None:
        """Publish the next version of a model, its manifest beside the artifact, and wait for the first one."""
        manifest = artifact.with_suffix(".json")
        self.flask("models", "publish", str(artifact), "--manifest", str(manifest), "--name", name)
        self.wait_for_model(name)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make a call as the admin.

        :raises httpx.HTTPStatusError: when it fails.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options).raise_for_status()

    def wait_for_model(self, name: str, *, version: int = 1, is_ready: bool = True, limit_s: float = 120) -> None:
        """Wait until a version has a READY runner, or, with `is_ready` false, no runner at all.

        :raises TimeoutError: when that is not so in time.
        """
        headers = {"Authorization": f"Bearer {self.token}"}
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            answer = httpx.get(f"{self.url}/api/v1/models/{name}/versions/{version}", headers=headers)
            states = [runner["state"] for runner in answer.json()["runners"]] if answer.is_success else None
            if states is not None and ("READY" in states if is_ready else not states):
                return
            time.sleep(POLL_S)

        raise TimeoutError(f"{name}/{version} was not as awaited within {limit_s:g} s; the last answer: {answer.text}")


@contextmanager
def running_stack(var_dir: Path) -> Iterator[Stack]:
    """Start a stack under `var_dir`, wait until it is ready, and end it with all its processes."""
    port = free_port()
    settings = {"VAR_DIR": str(var_dir), "HOST": "127.0.0.1", "PORT": str(port), "TRUSTED_PROXIES": TRUSTED_PROXIES}
    environment = {**os.environ, **settings}
    with (var_dir / "launcher.log").open("wb") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "deploy.stack", "run", "--end-with-parent"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(launcher, var_dir / "launcher.log")
        token = _admin_token(url, var_dir)
        yield Stack(url=url, token=token, launcher_pid=launcher.pid, environment=environment)
    finally:
        launcher.send_signal(signal.SIGINT)
        launcher.wait(STOP_LIMIT_S)


@contextmanager
def stack_like(var_dir: Path, **settings: str) -> Iterator[Stack]:
    """Run a stack in a folder of its own with the models and clients of another one's, so that nothing is trained."""
    variables = {"TRUSTED_PROXIES": TRUSTED_PROXIES, **settings}
    with factory.running_stack(factory.Stack(var_dir=var_dir), variables=variables) as started:
        assert started.launcher is not None
        yield Stack(
            url=started.url,
            token=started.token(),
            launcher_pid=started.launcher.pid,
            environment=started.environment,
        )


def _wait_until_ready(launcher: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while launcher.poll() is None and time.monotonic() < deadline:
        if READY_LINE in log.read_text("utf-8"):
            return
        time.sleep(POLL_S)

    raise RuntimeError(f"The stack did not become ready. Its launcher said:\n{log.read_text('utf-8')}")


def fresh_token(url: str, client_id: str, client_secret: str) -> str:
    """Ask a stack for a token."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return str(httpx.post(f"{url}/auth/token", data=form).raise_for_status().json()["access_token"])


def _admin_token(url: str, var_dir: Path) -> str:
    lines = (var_dir / "admin.env").read_text("ascii").split()
    admin = dict(line.split("=", 1) for line in lines)
    return fresh_token(url, admin["GALLEY_CLIENT_ID"], admin["GALLEY_CLIENT_SECRET"])


def port_of(url: str) -> int:
    """Return the port that an address names."""
    return int(urlsplit(url).port or 0)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
