"""Each scrape tells how much work waits; what is away is left out, and the rest is told."""

from unittest import mock

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import DatabaseUnavailable, StoreUnreachable
from app.infra.broker_queues import BrokerQueues, Waiting
from app.infra.task_names import QueueName
from app.services.job_figures import JobFigures
from app.services.job_room import JobRoom
from tests.factories.web import WebWorker
from tests.unit.app.services.job_drafts import submission


def scrape(worker: WebWorker) -> dict[tuple[str, ...], float]:
    """Return the value of each sample by its name and the values of its labels."""
    text = worker.app.test_client().get("/metrics").text
    families = text_string_to_metric_families(text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_work_that_waits_is_told(worker: WebWorker) -> None:
    # As for every job that is posted, before it is recorded: its folder is in use from then on.
    worker.services.job_room.check()
    one = ChunkDraft(first_row=1, row_count=1, place={})
    worker.services.batch_jobs.submit(submission(chunks=[one]))
    samples = scrape(worker)

    assert samples["galley_jobs", "queued"] == 1
    assert samples["galley_job_chunks", "batch", "queued"] == 1
    assert samples["galley_job_chunks", "heavy", "running"] == 0
    assert samples["galley_job_unserved_seconds", "heavy"] == 0
    assert samples["galley_job_disk_reserve_bytes",] == worker.services.settings.job_disk_reserve
    assert samples["galley_job_disk_free_bytes",] > 0


def test_queues_of_the_broker_are_told(worker: WebWorker) -> None:
    queues: mock.NonCallableMagicMock = mock.create_autospec(BrokerQueues, instance=True)
    queues.look.side_effect = lambda names: {name: Waiting(messages=len(name), oldest_s=1.5) for name in names}
    worker.services.broker_queues = queues
    samples = scrape(worker)

    assert [samples["galley_queue_messages", queue.value] for queue in QueueName] == [5, 5, 12, 6]
    assert {samples["galley_queue_oldest_seconds", queue.value] for queue in QueueName} == {1.5}


def test_broker_that_is_away_takes_only_its_own_gauges(worker: WebWorker) -> None:
    names = {key[0] for key in scrape(worker)}

    assert "galley_queue_messages" not in names
    assert {"galley_jobs", "galley_job_chunks", "galley_job_disk_free_bytes"} <= names


def test_database_that_is_away_takes_only_its_own_gauges(worker: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: JobFigures) -> None:
        raise DatabaseUnavailable("The database does not answer.")

    monkeypatch.setattr(JobFigures, "read", read)
    names = {key[0] for key in scrape(worker)}

    assert not names & {"galley_jobs", "galley_job_chunks"}
    assert "galley_job_disk_free_bytes" in names


def test_disk_that_is_away_takes_only_its_own_gauges(worker: WebWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    def free_bytes(_: JobRoom) -> None:
        raise StoreUnreachable("The files of jobs cannot be reached.")

    monkeypatch.setattr(JobRoom, "free_bytes", free_bytes)
    names = {key[0] for key in scrape(worker)}

    assert "galley_job_disk_free_bytes" not in names
    assert {"galley_jobs", "galley_job_chunks"} <= names
