"""What every test gets: a check that it leaves nothing behind, and a web worker where it asks for one."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import flask
import psutil
import pytest
import structlog
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from structlog.contextvars import clear_contextvars

from app.services import client_secrets
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker, make_worker
from tests.scheduling import pytest_xdist_make_scheduler
from tests.scratch import pytest_configure, pytest_unconfigure
from tests.skips import pytest_sessionfinish, pytest_terminal_summary

__all__ = [
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "pytest_xdist_make_scheduler",
]

# Python's own process, which lives as long as the interpreter.
PYTHONS_OWN = "multiprocessing.resource_tracker"
# So long what a test ended may take to be gone, on a machine that has more to do.
LEFT_AFTER_S = 10.0
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

# How long an example takes to be made, or to be tried, is the machine's affair.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@dataclass(frozen=True)
class Holdings:
    """What this process holds: its threads, child processes and sockets."""

    threads: frozenset[threading.Thread]
    processes: frozenset[psutil.Process]
    sockets: frozenset[str]

    def __sub__(self, earlier: "Holdings") -> list[str]:
        """Name what `earlier` did not hold."""
        new = [*(self.threads - earlier.threads), *(self.processes - earlier.processes)]
        return [str(one) for one in (*new, *(self.sockets - earlier.sockets))]


def current_holdings() -> Holdings:
    """Return what this process holds now."""
    children = psutil.Process().children(recursive=True)
    return Holdings(
        threads=frozenset(threading.enumerate()),
        processes=frozenset(child for child in children if not _is_pythons_own(child)),
        sockets=frozenset(_sockets()),
    )


@pytest.fixture(autouse=True)
def _outside_of_requests() -> None:
    """Let no test log or record in the name of a request that an earlier one made."""
    clear_contextvars()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a thread, process, socket, app context or log set-up behind."""
    before, logs = current_holdings(), structlog.get_config()["logger_factory"]
    yield
    try:
        wait_until(lambda: not current_holdings() - before, timeout_s=LEFT_AFTER_S)
    except TimeoutError:
        pytest.fail(f"The test left behind: {', '.join(current_holdings() - before)}")
    assert not flask.has_app_context(), "The test left an app context behind."
    # Lines of later tests would go where this one's went, or fail there.
    assert structlog.get_config()["logger_factory"] is logs, "The test left logs set up."


@pytest.fixture(autouse=True)
def _quick_secrets() -> Iterator[None]:
    """Hash the secrets of the many clients that tests make in no time; the real parameters take 20 ms of each."""
    with mock.patch.object(client_secrets, "_HASHER", QUICK_HASHER):
        yield


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WebWorker]:
    """A web worker with real SQL, tokens and routing, and a fake in place of runners."""
    worker = make_worker(tmp_path)
    yield worker
    worker.services.close()


@pytest.fixture
def client(worker: WebWorker) -> FlaskClient:
    """Calls the worker's app."""
    return worker.app.test_client()


def _sockets() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            yield target


def _is_pythons_own(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE or PYTHONS_OWN in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return True
