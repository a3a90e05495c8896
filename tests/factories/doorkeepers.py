"""A real doorkeeper with a server of a few lines behind it, for tests."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.doorkeeper.door_record import DoorRecord, read_record
from tests.factories.settings import TEST_SECRET
from tests.factories.stack import ROOT, free_port
from tests.factories.waiting import wait_until

# Answers every connection with its pid; ends at once where the file `broken` lies beside it. It is not ready where
# `poor` lay there when it started, nor while `away` does.
SERVER = """
import os, select, signal, socket, sys

is_ending = []
signal.signal(signal.SIGTERM, lambda *_: is_ending.append(True))
if os.path.exists(os.path.join(os.path.dirname(__file__), "broken")):
    sys.exit(3)
here = os.path.dirname(__file__)
is_poor = os.path.exists(os.path.join(here, "poor"))
binds = [word for word in sys.argv if word.startswith("fd://")]
doors = [socket.socket(fileno=int(bind.removeprefix("fd://"))) for bind in binds]
for door in doors:
    door.setblocking(False)
while not is_ending:
    for listener in select.select(doors, [], [], 0.05)[0]:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            continue
        connection.setblocking(True)
        asked = connection.recv(4096)
        is_unready = b"/health/ready" in asked and (is_poor or os.path.exists(os.path.join(here, "away")))
        if is_unready:
            print("not ready", flush=True)
        status = b"503 No" if is_unready else b"200 OK"
        connection.sendall(b"HTTP/1.1 %s\\r\\n\\r\\n%d" % (status, os.getpid()))
        connection.close()
"""


@dataclass(frozen=True, kw_only=True)
class Door:
    """A running doorkeeper."""

    process: "subprocess.Popen[bytes]"
    port: int
    folder: Path

    def ask(self) -> int:
        """Call at the door as any client; return the pid of the server that answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        return int(answer.rpartition(b"\r\n")[2])

    def record(self) -> DoorRecord:
        """Return what the doorkeeper wrote down."""
        record = read_record(self.folder / "run")
        assert record is not None
        return record

    def break_server(self) -> None:
        """Have every server that starts from now on end at once."""
        (self.folder / "broken").touch()

    def impoverish(self) -> None:
        """Have every server that starts from now on live and not be ready."""
        (self.folder / "poor").touch()

    def take_away(self) -> None:
        """Have no server be ready, as where the database is away."""
        (self.folder / "away").touch()

    def said(self) -> str:
        """Return what was logged."""
        return (self.folder / "log").read_text()


@contextmanager
def running_door(folder: Path, *, is_recorded: bool = True) -> Iterator[Door]:
    """Run a doorkeeper in a folder; returns once a server answers, at once where nothing can be written down."""
    server, port = folder / "server.py", free_port()
    server.write_text(SERVER)
    own = {"VAR_DIR": str(folder), "HOST": "127.0.0.1", "PORT": str(port), "JWT_SECRET": TEST_SECRET, "DRAIN_S": "2"}
    command = [sys.executable, "-m", "deploy.doorkeeper", sys.executable, str(server)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own}, stdout=log, stderr=log)
    try:
        if is_recorded:
            wait_until(lambda: read_record(folder / "run") is not None or process.poll() is not None)
        yield Door(process=process, port=port, folder=folder)
    finally:
        process.terminate()
        process.wait(30)
