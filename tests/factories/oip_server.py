"""A whole server for clients of the Open Inference Protocol: gunicorn's web workers, a controller, real runners."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.services.clients import ClientDraft, ClientService
from app.services.scopes import ALL_SCOPES
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft
from tests.factories.controllers import ROOT, ControllerStage, controller_stage
from tests.factories.oip_models import oip_drafts
from tests.factories.stack import free_port
from tests.factories.versions import accept
from tests.factories.waiting import wait_until

# Other tests and their servers may use the same two cores.
START_S = 120.0
WEB_WORKERS = 2


@dataclass(kw_only=True)
class OipServer:
    """A running server; `versions` has the first version of each model of tests.factories.oip_models."""

    stage: ControllerStage
    port: int = field(default_factory=free_port)
    token: str = ""
    versions: dict[str, ModelRef] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where gunicorn listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """A folder for artifacts, which goes with the server."""
        return self.stage.settings.var_dir

    def client(self) -> httpx.Client:
        """Return an HTTP client with the admin's token, which adds no header of its own that could matter."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Encoding": "identity"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30.0)

    def publish(self, draft: VersionDraft, **options: Any) -> ModelRef:
        """Release a version; the controller starts it if an alias or a pin names it."""
        return self.stage.parts.releases.release(draft, prove=accept, by="test", **options)

    def start(self) -> None:
        """Start the controller and gunicorn; returns once the server is ready."""
        self.stage.start_controller()
        self.process = _start_gunicorn(self.stage, self.port)
        for ref in self.versions.values():
            self.stage.wait_ready(ref, timeout_s=START_S)
        wait_until(lambda: _is_ready(self.url), timeout_s=START_S)
        self.token = _token(self.url, self.stage)

    @contextmanager
    def another_web(self, **environment: str) -> Iterator["OipServer"]:
        """Run another gunicorn before the same runners, with this in its environment, for the length of the block."""
        other = replace(self, port=free_port())
        other.process = _start_gunicorn(self.stage, other.port, **environment)
        try:
            wait_until(lambda: _is_ready(other.url), timeout_s=START_S)
            yield other
        finally:
            other.stop()

    def processes(self) -> list[psutil.Process]:
        """Return gunicorn, the controller, and all processes below them."""
        assert self.process is not None
        roots = [psutil.Process(pid) for pid in (self.process.pid, self.stage.controller_pid)]
        return [*roots, *(child for root in roots for child in root.children(recursive=True))]

    def stop(self) -> None:
        """End gunicorn; the stage ends the rest."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)


@contextmanager
def running_oip_server(
    drafts: Callable[[Path], list[VersionDraft]] = oip_drafts, **changes: Any
) -> Iterator[OipServer]:
    """Run a server with models, by default all of tests.factories.oip_models, for the length of the block."""
    options = {"limit_inference": "1000000/second", "limit_management": "1000000/second", "web_workers": WEB_WORKERS}
    with controller_stage(**{**options, **changes}) as stage:
        server = OipServer(stage=stage)
        server.versions = {draft.name: server.publish(draft) for draft in drafts(server.folder)}
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _start_gunicorn(stage: ControllerStage, port: int, **changes: str) -> "subprocess.Popen[bytes]":
    metrics = stage.settings.metrics_dir / "web"
    metrics.mkdir(parents=True, exist_ok=True)
    environment = {
        **stage.environment,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "DRAIN_S": "2",
        "HOME": os.environ.get("HOME", "/"),
        **changes,
    }
    config = ROOT / "deploy/gunicorn.conf.py"
    command = [sys.executable, "-m", "gunicorn", "--config", str(config), "--pythonpath", str(ROOT), "wsgi:app"]
    with (stage.settings.var_dir / "web.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready").is_success
    except httpx.HTTPError:
        return False


def _token(url: str, stage: ControllerStage) -> str:
    # Not called `admin`: that is an example of the API's description, and fuzzing by it would delete the caller.
    draft = ClientDraft(scopes=ALL_SCOPES, client_id=f"tests-{secrets.token_hex(4)}")
    issued = ClientService(stage.settings, stage.parts.database).create(draft, by="test")
    form = {
        "grant_type": "client_credentials",
        "client_id": issued.client.client_id,
        "client_secret": issued.secret,
    }
    return str(httpx.post(f"{url}/auth/token", data=form).raise_for_status().json()["access_token"])
