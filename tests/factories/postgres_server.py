"""A private PostgreSQL on a Unix socket, from the binaries of the machine."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.factories.waiting import wait_until

USER = "galley"
KILLED_WITHIN_S = 30.0


class PostgresServer:
    """One PostgreSQL cluster without TCP, in a folder of its own."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._data = str(folder / "data")
        self._folder = folder

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self._folder / "log"

    def start(self) -> None:
        """Create the cluster, start it, and wait until it answers."""
        self._call("initdb", "-D", self._data, "-U", USER, "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        self.restart()

    def restart(self) -> None:
        """Start the stopped cluster again, with what it held."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._folder}' -c fsync=off"
        self._call("pg_ctl", "-D", self._data, "-l", str(self.log), "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._call("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def end(self) -> None:
        """End it as an operator does: what is under way is rolled back, connections are closed."""
        self._call("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def kill(self) -> None:
        """Kill its first process; the others end when they notice, and only then it can be started again."""
        first = psutil.Process(int(Path(self._data, "postmaster.pid").read_text().split()[0]))
        family = [first, *first.children(recursive=True)]
        first.kill()
        wait_until(lambda: not any(process.is_running() for process in family), timeout_s=KILLED_WITHIN_S)

    def make_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL."""
        name = f"galley_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(host=str(self._folder), user=USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://{USER}@/{name}?host={self._folder}"

    def _call(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        # PostgreSQL refuses to run as root; its packages bring a user for it.
        user = "postgres" if os.geteuid() == 0 else None
        subprocess.run(command, check=True, user=user, cwd=self._folder, stdout=subprocess.DEVNULL)


def find_binaries() -> Path | None:
    """Return the folder of the newest PostgreSQL of the machine, Debian's own or one on PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    newest = debian[-1] if debian else Path(on_path) if on_path else None
    return newest.resolve().parent if newest else None


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL in a folder of its own for the length of the block; skip where there is none."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")

    with tempfile.TemporaryDirectory(prefix="galley-pg-") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = PostgresServer(binaries, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run; `make_database` gives each test its own database."""
    with running_postgres() as server:
        yield server
