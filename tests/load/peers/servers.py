"""Other servers, started with the TorchScript file to serve, on free ports of this machine."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.load.peers.environments import KSERVE, MLSERVER, Environment
from tests.load.processes import ProcessFacts, stack_facts
from tests.load.stack import POLL_S, free_port

HERE = Path(__file__).parent
START_LIMIT_S = 120
STOP_LIMIT_S = 10
MODEL = "mlp"
# From the artifact, an empty folder and a port to the words of a command line.
Command = Callable[[Path, Path, int], list[str]]


@dataclass(frozen=True, kw_only=True)
class RunningPeer:
    """A server that answers; it listens without tokens, limits or a log line per request."""

    url: str
    pid: int

    def facts(self) -> list[ProcessFacts]:
        """Return every process of the server."""
        return stack_facts(self.pid)


@dataclass(frozen=True, kw_only=True)
class Peer:
    """How a server is tuned and started."""

    name: str
    environment: Environment
    has_binary: bool
    command: Command

    @contextmanager
    def running(self, artifact: Path) -> Iterator[RunningPeer]:
        """Start the server, wait until its model is ready, and end it with all its processes."""
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="galley-peer-") as name:
            command = self.command(artifact, Path(name), port)
            ready_path = f"/v2/models/{MODEL}/ready"
            with running_server(command, port, ready_path=ready_path, folder=Path(name), python_path=HERE) as server:
                yield server


def peers() -> list[Peer]:
    """Return the servers to measure beside Galley, as a fair user of each would run them on this machine."""
    cores = len(os.sched_getaffinity(0))
    return [
        Peer(name="mlserver", environment=MLSERVER, has_binary=False, command=mlserver_command(1)),
        Peer(name="mlserver, inline", environment=MLSERVER, has_binary=False, command=mlserver_command(0)),
        Peer(name="kserve, 1 worker", environment=KSERVE, has_binary=True, command=kserve_command(1)),
        Peer(name=f"kserve, {cores} workers", environment=KSERVE, has_binary=True, command=kserve_command(cores)),
    ]


def mlserver_command(processes: int) -> Command:
    """Return how to start MLServer with so many processes for models: 1 is its default, 0 runs them inline."""

    def command(artifact: Path, folder: Path, port: int) -> list[str]:
        settings = {
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": free_port(),
            "metrics_port": free_port(),
            "debug": False,
            "parallel_workers": processes,
        }
        implementation = "mlserver_model.TorchScriptModel"
        model = {"name": MODEL, "implementation": implementation, "parameters": {"uri": str(artifact)}}
        (folder / "settings.json").write_text(json.dumps(settings), "utf-8")
        (folder / "model-settings.json").write_text(json.dumps(model), "utf-8")
        return [str(MLSERVER.bin / "mlserver"), "start", str(folder)]

    return command


def kserve_command(workers: int) -> Command:
    """Return how to start KServe with so many workers, without gRPC and without a log line per request."""

    def command(artifact: Path, _folder: Path, port: int) -> list[str]:
        options = {
            "artifact": artifact,
            "model_name": MODEL,
            "http_port": port,
            "workers": workers,
            "enable_grpc": "false",
            "enable_latency_logging": "false",
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [str(KSERVE.bin / "python"), str(HERE / "kserve_model.py"), *flags]

    return command


@contextmanager
def running_server(
    command: list[str], port: int, *, ready_path: str, folder: Path, python_path: Path
) -> Iterator[RunningPeer]:
    """Start a server in a folder, wait until it says that it is ready, and end it with all its processes."""
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "PYTHONPATH": str(python_path)}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, url + ready_path)
            yield RunningPeer(url=url, pid=process.pid)
        finally:
            _end(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.HTTPError:
            pass  # it does not listen yet
        time.sleep(POLL_S)

    raise RuntimeError(f"The server did not become ready: {' '.join(map(str, process.args))}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, then kill what is left: MLServer and KServe both leave children behind at times."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        if child.is_running():
            child.kill()
