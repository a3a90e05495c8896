"""One server: it shares the listener, answers at its side door, and is ended in time."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.doorkeeper import server as servers
from deploy.doorkeeper.server import LIVE, Server
from tests.factories.doorkeepers import SERVER
from tests.factories.waiting import wait_until

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="galley-door-") as name:
        yield Path(name)


@contextmanager
def started(program: str, folder: Path) -> Iterator[Server]:
    script = folder / "server.py"
    script.write_text(program)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server([sys.executable, str(script)], listener, folder / "side.sock")
        try:
            yield server
        finally:
            server.end()
            wait_until(lambda: server.exit_status is not None)
            server.clear()


def test_server_is_asked_once_and_answers_when_it_is_up(folder: Path) -> None:
    with started(SERVER, folder) as server:
        wait_until(lambda: server.says(LIVE))
    assert server.exit_status == 0
    assert not (folder / "side.sock").exists()


def test_server_that_says_something_else_is_not_healthy(folder: Path) -> None:
    with started(SERVER.replace("200 OK", "503 No"), folder) as server:
        # It takes no question before it is up, and its answer to the first one is read to the end.
        wait_until(lambda: server.says(LIVE) is False)


def test_server_that_is_to_end_later_serves_until_then(folder: Path) -> None:
    with started(SERVER, folder) as server:
        server.end(after_s=600)
        server.press(600)

        wait_until(lambda: server.says(LIVE))
        assert server.exit_status is None


def test_deaf_server_is_killed_when_its_time_is_over(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with started(DEAF, folder) as server:
        wait_until(lambda: "deaf" in capfd.readouterr().out)
        server.end()
        server.press(600)
        assert server.exit_status is None

        server.press(-servers.END_MARGIN_S - 1)
        wait_until(lambda: server.exit_status is not None)
