"""Disks that are full to the last byte, under load: what needs no room goes on, and all else once there is some."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.factories.load import Load, running_load
from tests.factories.small_disk import SmallDisk, small_disk
from tests.factories.stack import Stack, classify, ended_job, running_stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

PATIENCE_S = 90.0
VERSIONS = "/api/v1/models/digits/versions"
# Room for the demo models, and for some seconds of logs.
VAR_SIZE, STORE_SIZE = "96m", "24m"


@dataclass(frozen=True)
class Installation:
    """A stack whose VAR_DIR (database, Redis, logs, counts) and whose store have a disk each."""

    stack: Stack
    var_disk: SmallDisk
    store_disk: SmallDisk

    def versions(self) -> set[Path]:
        """Return all folders of the store below its models, staged ones included."""
        return set(self.store_disk.folder.glob("*/*")) | set(self.store_disk.folder.glob(".*"))


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Installation]:
    with ExitStack() as parts:
        # Short, so that sockets and counts lie below VAR_DIR, too.
        folder = Path(tempfile.gettempdir())
        var = parts.enter_context(small_disk(folder / "fdv", VAR_SIZE))
        store = parts.enter_context(small_disk(folder / "fds", STORE_SIZE))
        shutil.copytree(stack.var_dir / "store", store.folder, dirs_exist_ok=True)
        variables = {"STORE_URL": str(store.folder), "DRAIN_S": "5"}
        running = parts.enter_context(running_stack(stack, parent=var.folder, variables=variables))
        yield Installation(running, var, store)


@contextmanager
def served(own: Installation) -> Iterator[Load]:
    """Have the block done under load, and assert that every request of it is answered well."""
    headers, picture = {"Authorization": f"Bearer {own.stack.token()}"}, own.stack.picture.read_bytes()

    def make_client() -> httpx.Client:
        return httpx.Client(base_url=own.stack.url, headers=headers, timeout=30)

    with running_load(make_client, lambda client: classify(client, picture), threads=2) as load:
        wait_for_more(load)
        yield load
        wait_for_more(load)
    assert [one for one in load.outcomes if one.status != httpx.codes.OK] == []


def wait_for_more(load: Load, count: int = 20) -> None:
    before = len(load.outcomes)
    wait_until(lambda: len(load.outcomes) >= before + count, timeout_s=PATIENCE_S)


def with_holes(own: Installation) -> list[Path]:
    """Return the files of counts whose room is not all theirs: to write there on a full disk ends a process."""
    files = {path: path.stat() for path in own.var_disk.folder.glob("*/run/metrics/*/*.db")}
    assert files
    return [path for path, status in files.items() if status.st_blocks * 512 < status.st_size]


def publish(client: httpx.Client, source: Path) -> httpx.Response:
    """Upload a copy of a version."""
    manifest = json.loads((source / "manifest.json").read_bytes())
    del manifest["version"]
    files: list[tuple[str, Any]] = [
        ("artifact", (source / "model.pt").read_bytes()),
        ("samples", (source / "samples.json").read_bytes()),
        ("manifest", (None, json.dumps(manifest))),
    ]
    return client.post(VERSIONS, files=files)


def listed(client: httpx.Client) -> list[int]:
    """Return the versions that callers may name."""
    answer = client.get("/api/v1/models/digits").raise_for_status().json()
    return [version["version"] for version in answer["versions"]]


def make_client_of_galley(client: httpx.Client) -> httpx.Response:
    """Ask for what has to be kept in SQL."""
    return client.post("/api/v1/clients", json={"scopes": ["infer"]})


def test_a_version_waits_for_room_in_the_store_and_leaves_nothing_there_meanwhile(own: Installation) -> None:
    source = own.store_disk.folder / "digits" / "1"
    with own.stack.client() as client, served(own) as load:
        before, numbers = own.versions(), listed(client)
        with own.store_disk.filled():
            posted = publish(client, source)
            wait_until(lambda: f"job {posted.json()['id']} waits: " in own.stack.log_of("celery"), timeout_s=PATIENCE_S)
            wait_for_more(load)
            assert client.get(posted.headers["Location"]).json()["state"] == "queued"
            assert own.versions() - {own.store_disk.folder / "filler"} == before
            assert listed(client) == numbers
        ended_job(client, posted)


def test_a_full_var_dir_refuses_what_it_would_have_to_keep(own: Installation) -> None:
    """Database, accounts, logs and counts are there: models answer, and scrapes, and all else once there is room."""
    source = own.store_disk.folder / "digits" / "1"
    with own.stack.client() as client, served(own) as load:
        assert with_holes(own) == []
        with own.var_disk.filled():
            refusals = [publish(client, source), make_client_of_galley(client)]
            wait_for_more(load, 200)
            scrape = httpx.get(f"{own.stack.url}/metrics")
        assert [one.json()["code"] for one in refusals] == ["disk_full", "database_unavailable"]
        assert scrape.is_success
        lines = own.stack.log_of("web").count("\n")
        wait_until(lambda: make_client_of_galley(client).is_success, timeout_s=PATIENCE_S)
        wait_for_more(load)
        wait_until(lambda: own.stack.log_of("web").count("\n") >= lines + 20, timeout_s=PATIENCE_S)
        ended_job(client, publish(client, source))
