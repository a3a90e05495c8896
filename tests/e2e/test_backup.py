"""A backup of a stack that is written to, brought back to an empty folder, makes a stack that serves the same."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2
from typing import Any

import httpx
import pytest

from tests.factories.stack import ROOT, Stack, ended_job

pytestmark = pytest.mark.long

JOB = {"kind": "recommendations", "inputs": [{"user_id": user, "k": 3} for user in range(1, 9)]}


@dataclass(frozen=True)
class Restored:
    """What was there when the backup began, and the stack that was made of it."""

    issued: dict[str, Any]
    models: Any
    job_path: str
    results: str
    stack: Stack


def backup(stack: Stack, *words: object) -> None:
    command = [sys.executable, "-m", "deploy.backup", *map(str, words)]
    result = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def run_job(client: httpx.Client) -> tuple[str, str]:
    """Return the path of a job that has ended, and its results."""
    posted = client.post("/api/v1/jobs", json=JOB)
    ended_job(client, posted)
    path = posted.headers["location"]
    return path, client.get(f"{path}/results").raise_for_status().text


def save_while_written_to(stack: Stack, client: httpx.Client, folder: Path) -> Path:
    """Make a backup while clients come and go."""
    stopping = threading.Event()

    def write() -> None:
        while not stopping.wait(0.05):
            made = client.post("/api/v1/clients", json={"scopes": ["infer"]}).raise_for_status().json()
            client.delete(f"/api/v1/clients/{made['client_id']}").raise_for_status()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup(stack, "make", "--to", folder, "--jobs")
    finally:
        stopping.set()
        writer.join()
    [made] = folder.glob("galley-*")
    return made


@pytest.fixture(scope="module")
def restored(stack: Stack) -> Iterator[Restored]:
    with tempfile.TemporaryDirectory(prefix="galley-e2e-") as folder, stack.client() as client:
        issued = client.post("/api/v1/clients", json={"scopes": ["infer", "jobs", "models:read"]}).json()
        models = client.get("/api/v1/models").raise_for_status().json()
        job_path, results = run_job(client)
        saved = save_while_written_to(stack, client, Path(folder) / "backups")
        new = Stack(var_dir=Path(folder) / "new")
        backup(new, "restore", saved)
        # The one thing of the old folder that its operator keeps apart.
        copy2(stack.var_dir / "admin.env", new.var_dir)
        new.start()
        try:
            new.wait_ready()
            yield Restored(issued, models, job_path, results, new)
        finally:
            new.stop()


def test_models_and_aliases_are_the_same(restored: Restored) -> None:
    with restored.stack.client() as client:
        found = client.get("/api/v1/models").raise_for_status().json()

    assert [(model["name"], model["default"]) for model in found] == [
        (model["name"], model["default"]) for model in restored.models
    ]


def test_clients_log_in_with_their_secrets_and_are_served(restored: Restored) -> None:
    form = {"grant_type": "client_credentials"} | {
        name: restored.issued[name] for name in ("client_id", "client_secret")
    }
    token = httpx.post(f"{restored.stack.url}/auth/token", data=form).raise_for_status().json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    answer = httpx.post(
        f"{restored.stack.url}/api/v1/recommendations", json={"user_id": 7}, headers=headers, timeout=30
    )

    assert answer.raise_for_status().json()["items"]


def test_jobs_still_have_their_results_and_new_ones_run(restored: Restored) -> None:
    with restored.stack.client() as client:
        assert client.get(f"{restored.job_path}/results").raise_for_status().text == restored.results
        assert run_job(client)[1] == restored.results
