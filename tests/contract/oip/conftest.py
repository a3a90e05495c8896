"""One server for the whole suite, which ends with it, and what foreign clients saw of it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.contract.oip.asking import Asker
from tests.factories.oip_models import sums_draft
from tests.factories.oip_server import OipServer, running_oip_server

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = ROOT / "tests/clients"
CLIENT_LIMIT_S = 120


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let connections and processes outlive a test: the server is the suite's, and ends with it."""


@pytest.fixture(scope="package")
def server() -> Iterator[OipServer]:
    with running_oip_server() as server:
        spare = server.publish(sums_draft(server.folder, "spare"))
        server.stage.wait_ready(spare)
        yield server


@pytest.fixture(scope="package")
def http(server: OipServer) -> Iterator[httpx.Client]:
    """Calls the server as the admin."""
    with server.client() as client:
        yield client


@pytest.fixture(scope="package")
def ask(http: httpx.Client) -> Asker:
    return Asker(http)


@pytest.fixture(scope="package")
def ask_flask(server: OipServer) -> Iterator[Asker]:
    """Asks the same runners through web workers without the fast path."""
    with server.another_web(FAST_PATH="false") as web, web.client() as http:
        yield Asker(http)


@pytest.fixture(scope="package")
def triton_sync(server: OipServer) -> dict[str, Any]:
    """What each call of tritonclient.http returned or raised."""
    return run_client(server, "triton_calls.py", "sync", server.url.removeprefix("http://"))


@pytest.fixture(scope="package")
def triton_aio(server: OipServer) -> dict[str, Any]:
    """What each call of tritonclient.http.aio returned or raised."""
    return run_client(server, "triton_calls.py", "aio", server.url.removeprefix("http://"))


@pytest.fixture(scope="package")
def kserve(server: OipServer) -> dict[str, Any]:
    """What each call of KServe's InferenceRESTClient returned or raised."""
    return run_client(server, "kserve_calls.py", server.url)


def run_client(server: OipServer, script: str, *arguments: str) -> dict[str, Any]:
    """Run a script in the clients' environment; return the JSON it prints."""
    python = ROOT / ".venv-clients/bin/python"
    if not python.exists():
        pytest.fail("The clients' environment is missing: make .venv-clients/.installed")

    command = [str(python), str(CLIENTS / script), *arguments, server.token]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CLIENT_LIMIT_S)
    assert ended.returncode == 0, ended.stderr
    outcomes: dict[str, Any] = msgspec.json.decode(ended.stdout)
    return outcomes
