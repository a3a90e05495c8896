"""Starts plain Flask with flask-sock under one gunicorn worker of gevent's, in Galley's own environment.

Its parts are Galley's, in the same versions, so it needs no environment of its own.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.load.peers.environments import ROOT
from tests.load.peers.servers import RunningPeer, running_server
from tests.load.stack import free_port

SOCKETS = 4096


@contextmanager
def plain_flask(version: Path) -> Iterator[RunningPeer]:
    """Serve the model of a version's folder, for the length of the block."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", f"tests.load.peers.plain_flask:make_app({str(version)!r})"),
        *(f"--bind=127.0.0.1:{port}", "--worker-class=gevent", "--workers=1", f"--worker-connections={SOCKETS}"),
        # Its place is per user by default, and two would meet there.
        "--no-control-socket",
    ]
    with tempfile.TemporaryDirectory(prefix="galley-peer-") as folder:
        ready = running_server(command, port, ready_path="/health/ready", folder=Path(folder), python_path=ROOT)
        with ready as server:
            yield server
