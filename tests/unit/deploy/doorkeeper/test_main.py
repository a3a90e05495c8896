"""A doorkeeper waits for its port, and says in a sentence what keeps it from starting."""

import socket
import sys
import threading
from pathlib import Path

import pytest

from deploy.doorkeeper import __main__ as doorkeeper
from tests.factories.early_signals import status_after_early_hangup
from tests.factories.settings import TEST_SECRET, make_settings


def test_port_is_taken_as_soon_as_it_is_free(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    settings = make_settings(tmp_path, host="127.0.0.1", port=taken.getsockname()[1])
    leaving = threading.Timer(0.3, taken.close)
    leaving.start()

    with doorkeeper.open_listener(settings) as listener:
        assert listener.getsockname() == ("127.0.0.1", settings.port)
    leaving.join()


def test_port_that_stays_taken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doorkeeper, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "argv", ["doorkeeper", "true"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for name, value in {"VAR_DIR": str(tmp_path), "PORT": port, "JWT_SECRET": TEST_SECRET}.items():
            monkeypatch.setenv(name, value)

        assert doorkeeper.main() == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_hangup_during_the_imports_does_not_end_it(tmp_path: Path) -> None:
    assert status_after_early_hangup("deploy.doorkeeper", "true", VAR_DIR=str(tmp_path), PORT="none") == 2
