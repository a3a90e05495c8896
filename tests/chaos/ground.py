"""What is broken: a whole installation, with wires between its parts that can be cut, and a disk that can be filled."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import httpx
import psutil
import pytest

from tests.chaos.wires import Wires, laid_wires
from tests.factories.full_stack import FullStack, running_cache_redis, running_state_redis
from tests.factories.nginx import running_nginx
from tests.factories.postgres_server import running_postgres
from tests.factories.small_disk import SmallDisk, small_disk
from tests.factories.stack import Stack, running_stack
from tests.scratch import MEMORY, has_room

DISK, RESERVE_BYTES = "256m", 8 * 2**20
# The name of PostgreSQL's socket in the folder that it is looked for in.
POSTGRES_SOCKET = ".s.PGSQL.5432"
CALLERS, WEB, SQL, REDIS, STATE = "callers", "web", "sql", "redis", "state"
SETTINGS = {
    "TRUSTED_PROXIES": "1",
    # Shorter than by default, so that more happens in the same time.
    "JOB_LEASE_S": "5",
    # As long as any run.
    "TOKEN_LIFETIME_S": "86400",
}


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The running parts. `url` is where callers go; `disk` is that of jobs, where one may be mounted."""

    full: FullStack
    wires: Wires
    url: str
    disk: SmallDisk | None
    to_end: list[psutil.Process] = field(default_factory=list)
    """Who was killed, or told to end."""

    @property
    def stack(self) -> Stack:
        """What the launcher started."""
        return self.full.stack

    def web_workers(self) -> list[psutil.Process]:
        """Return gunicorn's workers."""
        return self.stack.find("gunicorn: worker")

    def pool(self) -> list[psutil.Process]:
        """Return the processes that run Celery's tasks."""
        return self.stack.find("ForkPoolWorker")

    def runners(self) -> list[psutil.Process]:
        """Return the processes that hold a model."""
        return self.stack.find("galley-runner ")

    def is_rid_of_the_dead(self) -> bool:
        """Say whether everyone has ended who was to; those who were told may finish what they hold."""
        return not any(_lives(process) for process in self.to_end)

    def is_ready(self) -> bool:
        """Say whether callers are told that all is well."""
        try:
            return httpx.get(f"{self.url}/health/ready", verify=self.full.nginx.tls).is_success
        except httpx.HTTPError:
            return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def standing(like: Stack | None = None) -> Iterator[Ground]:
    """Run everything; `like` lends its models, without it they are trained."""
    with ExitStack() as parts:
        parts.enter_context(_in_memory())
        wires = parts.enter_context(laid_wires())
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="galley-wires-")))
        disk = _disk(parts, folder / "jobs")
        postgres = parts.enter_context(running_postgres())
        redis = parts.enter_context(running_cache_redis())
        state_redis = parts.enter_context(running_state_redis())
        database_url, own_folder = (made := postgres.make_database()), made.rsplit("host=", 1)[1]
        wires.open(SQL, at=f"unix:{folder}/{POSTGRES_SOCKET}", to=f"unix:{own_folder}/{POSTGRES_SOCKET}")
        variables = {
            **SETTINGS,
            "DATABASE_URL": database_url.replace(own_folder, f"{folder}"),
            "REDIS_URL": wires.open(REDIS, at=f"unix:{folder}/redis", to=f"unix:{redis.socket}").replace(":", "://"),
            "STATE_REDIS_URL": wires.open(STATE, at=f"unix:{folder}/state", to=f"unix:{state_redis.socket}").replace(
                ":", "://"
            ),
        }
        if disk is not None:
            variables |= {"JOBS_URL": f"{disk.folder}", "JOB_DISK_RESERVE": f"{RESERVE_BYTES}"}
        stack = parts.enter_context(running_stack(like, variables=variables))
        nginx = parts.enter_context(running_nginx(int(wires.open(WEB, to=f"{stack.port}"))))
        # The streams' client knows certificates as every client of OpenSSL does.
        parts.enter_context(mock.patch.dict("os.environ", SSL_CERT_FILE=f"{nginx.ca}"))
        full = FullStack(
            stack=stack,
            nginx=nginx,
            postgres=postgres,
            database_url=database_url,
            redis=redis,
            state_redis=state_redis,
        )
        url = f"https://127.0.0.1:{wires.open(CALLERS, to=f'{nginx.port}')}"
        yield Ground(full=full, wires=wires, url=url, disk=disk)


@contextmanager
def _in_memory() -> Iterator[None]:
    """Keep all files in memory where there is room: Redis waits for the disk before each answer."""
    before = tempfile.tempdir
    tempfile.tempdir = f"{MEMORY}" if has_room(MEMORY) else before
    try:
        yield
    finally:
        tempfile.tempdir = before


def _disk(parts: ExitStack, folder: Path) -> SmallDisk | None:
    try:
        return parts.enter_context(small_disk(folder, DISK))
    except pytest.skip.Exception:
        return None
