"""The walls behind code scan: what the limited process has given up before it opens an artifact."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.architecture.source import ROOT
from workers.verification.landlock import landlock_version
from workers.verification.report import Order

# Run inside: each attempt's outcome by name.
ATTEMPTS = """
import ctypes, json, os, resource, socket, sys
import msgspec
from workers.verification import confinement
from workers.verification.report import Order

order = msgspec.json.decode(sys.argv[1], type=Order)
if sys.argv[2] == "no-landlock":
    confinement.allow_reading_only = lambda paths: False
confinement.confine(order)

def outcome(attempt):
    try:
        return str(attempt())
    except (OSError, MemoryError) as err:
        return type(err).__name__

def write(path):
    with open(path, "w") as file:
        file.write("x")

print(json.dumps({
    "reads its folder": outcome(lambda: open("model.pt").read()),
    "reads a stranger's file": outcome(lambda: open(sys.argv[3]).read()),
    "writes into its folder": outcome(lambda: write("new")),
    "writes elsewhere": outcome(lambda: write("/tmp/galley-confinement-test")),
    "connects": outcome(lambda: socket.socket().connect(("127.0.0.1", int(sys.argv[4])))),
    "takes memory": outcome(lambda: len(bytearray(2 * order.memory_bytes))),
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
}))
"""


# Without Landlock a process that is not root keeps what file modes give it: there is nothing to show then.
IS_ROOT = os.geteuid() == 0
KINDS = [*(["landlock"] if landlock_version() else []), *(["no-landlock"] if IS_ROOT else [])]


@pytest.fixture(params=KINDS)
def outcomes(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """What a confined process could do, with Landlock and, as root, without it."""
    folder, secret = tmp_path / "staged", tmp_path / "secret"
    folder.mkdir(mode=0o755)
    (folder / "model.pt").write_text("the artifact")
    secret.write_text("a secret")
    secret.chmod(0o600)
    order = Order(
        folder=str(folder), report_fd=1, parent_pid=os.getpid(), memory_bytes=64 * 2**20, cpu_s=10, max_image_pixels=1
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = [msgspec.json.encode(order).decode(), request.param, str(secret), port]
        done = subprocess.run(
            [sys.executable, "-c", ATTEMPTS, *words],
            env={"PYTHONPATH": str(ROOT)}, cwd="/", capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_confined_process_has_its_folder_and_nothing_else(outcomes: dict[str, object]) -> None:
    assert outcomes["reads its folder"] == "the artifact"
    assert outcomes["writes into its folder"] in {"PermissionError", "OSError"}
    assert outcomes["writes elsewhere"] in {"PermissionError", "OSError"}
    assert outcomes["takes memory"] == "MemoryError"
    assert outcomes["core"] == 0


def test_the_network_is_out_of_reach(outcomes: dict[str, object]) -> None:
    """Not every machine lets others than root leave the network."""
    assert outcomes["connects"] in ({"OSError"} if IS_ROOT else {"OSError", "None"})


def test_the_files_of_others_are_out_of_reach(outcomes: dict[str, object]) -> None:
    assert outcomes["reads a stranger's file"] == "PermissionError"
