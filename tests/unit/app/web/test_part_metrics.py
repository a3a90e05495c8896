"""Each scrape tells which parts are ready, and how full Redis and the disk are."""

import shutil
from unittest import mock

import pytest
from redis import Redis

from app.infra.backup_note import note_backup
from app.services.readiness import PartState, ReadinessService
from tests.factories.scrapes import Scrape, read_scrape
from tests.factories.web import WebWorker


def scrape(worker: WebWorker) -> Scrape:
    """Return what the worker tells."""
    return read_scrape(worker.app.test_client().get("/metrics").text)


def full_redis() -> Redis:
    """Return a Redis that says how full it is."""
    client: mock.NonCallableMagicMock = mock.create_autospec(Redis, instance=True)
    client.info.return_value = {"used_memory": 900, "maxmemory": 1000, "role": "master", "aof_last_write_status": "ok"}
    return client


def test_parts_are_ready_or_not(worker: WebWorker) -> None:
    states = {"this": PartState(is_ready=True), "that": PartState(is_ready=False, reason="It is away.")}
    worker.services.readiness = ReadinessService({name: lambda state=state: state for name, state in states.items()})
    samples = scrape(worker)

    assert (samples["galley_ready", "this"], samples["galley_ready", "that"]) == (1, 0)


def test_what_the_controller_published_grows_old(worker: WebWorker) -> None:
    worker.run()
    first, second = (scrape(worker)["galley_directory_age_seconds",] for _ in range(2))

    assert 0 <= first < second < 60


def test_the_build_is_told(worker: WebWorker) -> None:
    ((_, *labels),) = [key for key in scrape(worker) if key[0] == "galley_build_info"]

    assert len(labels) == 2
    assert all(label[0].isdigit() for label in labels)


def test_redis_tells_how_full_it_is(worker: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.services, "state_redis", full_redis())
    samples = scrape(worker)

    assert (samples["galley_redis_up", "state"], samples["galley_redis_up", "cache"]) == (1, 0)
    assert samples["galley_redis_memory_bytes", "state"] == 900
    assert samples["galley_redis_memory_limit_bytes", "state"] == 1000
    assert ("galley_redis_memory_bytes", "cache") not in samples


@pytest.mark.parametrize(
    ("changes", "takes_writes"), [({}, 1), ({"role": "slave"}, 0), ({"aof_last_write_status": "err"}, 0)]
)
def test_redis_tells_whether_it_takes_writes(
    worker: WebWorker, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], takes_writes: int
) -> None:
    client = full_redis()
    client.info.return_value |= changes  # type: ignore[attr-defined]
    monkeypatch.setattr(worker.services, "state_redis", client)

    assert scrape(worker)["galley_redis_takes_writes", "state"] == takes_writes


def test_the_workers_of_heavy_models_are_told(worker: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.services.heavy_workers, "slots", lambda: 3)

    assert scrape(worker)["galley_heavy_slots",] == 3


def test_a_backup_grows_old_where_one_was_made(worker: WebWorker) -> None:
    before = scrape(worker)
    note_backup(worker.services.settings.var_dir)

    assert ("galley_backup_age_seconds",) not in before
    assert 0 <= scrape(worker)["galley_backup_age_seconds",] < 60


def test_the_disk_tells_how_full_it_is(worker: WebWorker) -> None:
    samples = scrape(worker)

    assert samples["galley_disk_bytes",] == shutil.disk_usage(worker.services.settings.var_dir).total
    assert 0 <= samples["galley_disk_free_bytes",] < samples["galley_disk_bytes",]
