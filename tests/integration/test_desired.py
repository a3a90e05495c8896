"""What should run, read from a real database and a real Redis."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from app.db.migrate import upgrade
from app.errors import DatabaseUnavailable
from app.inference.directory import WANTED_CHANNEL, WANTED_KEY
from app.services.releases import ReleaseService
from model_store.model_ref import ModelRef
from tests.factories.redis_server import RedisServer
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft, make_manifest
from tests.factories.waiting import wait_until
from workers.bootstrap import WorkerParts, assemble
from workers.controller.desired import DesiredVersions

WANTED_S = 60.0


@pytest.fixture
def parts(server: RedisServer, tmp_path: Path) -> Iterator[WorkerParts]:
    parts = assemble(make_settings(tmp_path, redis_url=server.url, redis_timeout_s=0.2))
    upgrade(parts.settings.database_url)
    yield parts
    parts.close()


@pytest.fixture
def release(parts: WorkerParts, tmp_path: Path) -> Callable[..., ModelRef]:
    def release(execution: str = "online", *, pin: bool = False) -> ModelRef:
        draft = make_draft(tmp_path, manifest=make_manifest(execution=execution))
        return parts.releases.release(draft, prove=accept, by="test", pin=pin)

    return release


@pytest.fixture
def desired(parts: WorkerParts) -> DesiredVersions:
    """Reads when the test says so."""
    return make_desired(parts, parts.releases, on_change=lambda: None)


def make_desired(
    parts: WorkerParts, releases: ReleaseService, *, on_change: Callable[[], None], every_s: float = 60.0
) -> DesiredVersions:
    return DesiredVersions(releases, parts.redis, every_s=every_s, wanted_s=WANTED_S, on_change=on_change)


def refs(desired: DesiredVersions) -> list[ModelRef]:
    desired.refresh()
    assert desired.wishes is not None
    return [version.ref for version in desired.wishes.versions]


def test_nothing_is_known_before_the_first_reading(desired: DesiredVersions) -> None:
    assert desired.wishes is None
    assert refs(desired) == []


def test_default_and_pinned_versions_are_desired(desired: DesiredVersions, release: Callable[..., ModelRef]) -> None:
    first, _unnamed, pinned = release(), release(), release(pin=True)

    assert refs(desired) == [first, pinned]


def test_heavy_versions_run_elsewhere(
    desired: DesiredVersions, release: Callable[..., ModelRef], parts: WorkerParts
) -> None:
    heavy = release("heavy")
    parts.redis.zadd(WANTED_KEY, {str(heavy): time.time()})

    assert refs(desired) == []


def test_wanted_version_is_desired_for_a_while(
    desired: DesiredVersions, release: Callable[..., ModelRef], parts: WorkerParts
) -> None:
    first, wanted = release(), release()
    parts.redis.zadd(WANTED_KEY, {str(wanted): time.time()})
    assert refs(desired) == [first, wanted]

    parts.redis.zadd(WANTED_KEY, {str(wanted): time.time() - WANTED_S - 1})

    assert refs(desired) == [first]
    assert parts.redis.zcard(WANTED_KEY) == 0


@pytest.mark.parametrize("wish", ["tiny/9", "nobody/1", "../../etc/1", "tiny", "tiny/x", "\xff"])
def test_wish_for_nothing_is_passed_over(
    desired: DesiredVersions, release: Callable[..., ModelRef], parts: WorkerParts, wish: str
) -> None:
    first = release()
    parts.redis.zadd(WANTED_KEY, {wish.encode("latin-1"): time.time()})

    assert refs(desired) == [first]


def test_wishes_are_kept_while_redis_is_away(
    desired: DesiredVersions, release: Callable[..., ModelRef], parts: WorkerParts, server: RedisServer
) -> None:
    first, wanted = release(), release()
    parts.redis.zadd(WANTED_KEY, {str(wanted): time.time()})
    assert refs(desired) == [first, wanted]

    server.stop()

    assert refs(desired) == [first, wanted]


def test_versions_are_kept_while_sql_is_away(parts: WorkerParts, release: Callable[..., ModelRef]) -> None:
    first = release()
    releases = mock.create_autospec(ReleaseService, instance=True)
    releases.catalog.side_effect = [parts.releases.catalog(), DatabaseUnavailable("The database is away.")]
    desired = make_desired(parts, releases, on_change=lambda: None)

    assert refs(desired) == [first]
    assert refs(desired) == [first]


@pytest.mark.parametrize("tell", ["release", "wish"])
def test_change_is_read_as_soon_as_it_is_told(
    tell: str, parts: WorkerParts, release: Callable[..., ModelRef], server: RedisServer
) -> None:
    release()
    unnamed = release()
    changed = threading.Event()
    desired = make_desired(parts, parts.releases, on_change=changed.set)
    desired.start()
    try:
        wait_until(lambda: parts.redis.pubsub_numsub(WANTED_CHANNEL)[0][1])
        wait_until(changed.is_set)
        changed.clear()
        if tell == "wish":
            parts.redis.zadd(WANTED_KEY, {str(unnamed): time.time()})
            parts.redis.publish(WANTED_CHANNEL, str(unnamed))
        else:
            parts.residency.pin(unnamed, by="test")
        assert changed.wait(10)
    finally:
        desired.stop()

    assert not desired.has_died
