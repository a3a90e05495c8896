"""Schemathesis over the OpenAPI document: every route with good and bad data, as an admin; no 5xx."""

import os
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.oip.conftest import CLIENTS, ROOT
from tests.factories.oip_server import OipServer, running_oip_server

RUN_S = 150
LIMIT_S = 1200
CHECK = "failures_are_well_formed"


@pytest.fixture(scope="module")
def own_server() -> Iterator[OipServer]:
    """A server that may be turned upside down: its models are deleted, unloaded and rerouted."""
    with running_oip_server(request_timeout_s="5") as server:
        yield server


@pytest.mark.long
def test_no_route_breaks(own_server: OipServer) -> None:
    schemathesis = ROOT / ".venv-clients/bin/st"
    options = [
        "--checks",
        CHECK,
        "--max-examples",
        "30",
        "--max-time",
        str(RUN_S),
        "--phases",
        "examples,coverage,fuzzing",
    ]
    quiet = ["--no-color", "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"]
    caller = ["--header", f"Authorization: Bearer {own_server.token}", "--request-timeout", "30"]
    # Schemathesis learns ids from answers, and would delete the client that it calls as.
    own_branch = ["--exclude-path", "/api/v1/clients/{client_id}"]
    ended = subprocess.run(
        [str(schemathesis), "run", f"{own_server.url}/openapi.json", *options, *quiet, *caller, *own_branch],
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=own_server.folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(CLIENTS)},
    )

    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-5_000:]
    # The token was good to the end, so that more than 401 was asked for.
    answer = httpx.get(f"{own_server.url}/api/v1/models", headers={"Authorization": f"Bearer {own_server.token}"})
    assert answer.status_code == 200
