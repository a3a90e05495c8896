"""Tasks of jobs: they pass their parts on, tickets are sent where none waits, and an outage voids one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.db.repositories.jobs import JobState
from app.errors import DatabaseUnavailable, RedisUnavailable
from app.infra.broker import VISIBILITY_TIMEOUT_S
from app.infra.task_names import QueueName, TaskName
from tests.factories.job_runs import JobRuns, bodies, job_runs, waiting_tickets
from workers.batch.chunk_run import CHUNK_SOFT_S
from workers.batch.planning import PLAN_SOFT_S
from workers.tasks import batch
from workers.tasks.batch import GRACE_S

# Celery has no types: what is a function of a task there is called without it.
tasks: Any = batch


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[JobRuns]:
    with job_runs(tmp_path) as runs:
        tasks.plan.app.parts, tasks.plan.app.engine = runs.parts, runs.engine
        yield runs
        del tasks.plan.app.engine


@pytest.fixture
def waiting(runs: JobRuns) -> Iterator[mock.Mock]:
    with waiting_tickets(runs) as waiting:
        yield waiting


def sent(runs: JobRuns, task: TaskName) -> int:
    return runs.broker.sent.count((task, ()))


def test_job_goes_from_its_plan_to_its_end(runs: JobRuns) -> None:
    job_id = runs.post(bodies(range(10)))
    assert tasks.plan(job_id) == "planned, ended, or waits"
    assert tasks.run_chunk() == "rows 1 to 10 are done"

    assert (runs.job(job_id).state, tasks.run_chunk()) == (JobState.SUCCEEDED, "there is no chunk to take")


def test_each_queue_has_its_own_tickets(runs: JobRuns) -> None:
    job_id = runs.post(bodies(range(10)), queue=QueueName.HEAVY)
    tasks.plan(job_id)

    assert sent(runs, TaskName.RUN_HEAVY_CHUNK) == 1
    assert (tasks.run_chunk(), tasks.run_heavy_chunk()) == ("there is no chunk to take", "rows 1 to 10 are done")


def test_lost_tickets_are_sent_again(runs: JobRuns, waiting: mock.Mock) -> None:
    tasks.plan(runs.post(bodies(range(11_000))))
    tasks.plan(runs.post(bodies(range(10)), queue=QueueName.HEAVY))
    runs.broker.sent.clear()

    assert tasks.dispatch_chunks() == {"batch": 3, "heavy": 1}
    assert (sent(runs, TaskName.RUN_CHUNK), sent(runs, TaskName.RUN_HEAVY_CHUNK)) == (3, 1)


def test_chunk_of_a_lost_worker_has_a_ticket_again(runs: JobRuns, waiting: mock.Mock) -> None:
    tasks.plan(runs.post(bodies(range(10))))
    runs.take()
    assert tasks.dispatch_chunks()["batch"] == 0
    runs.clock.advance(runs.parts.settings.job_lease_s + 1)

    assert tasks.dispatch_chunks()["batch"] == 1


def test_outage_voids_a_ticket_and_no_more(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.post(bodies(range(10)))
    tasks.plan(job_id)
    with monkeypatch.context() as patched:
        patched.setattr(batch, "run_next", mock.Mock(side_effect=DatabaseUnavailable("away")))
        assert tasks.run_chunk() == "something is away"

    assert (tasks.run_chunk(), runs.job(job_id).state) == ("rows 1 to 10 are done", JobState.SUCCEEDED)


def test_dispatch_fails_while_the_broker_is_away(runs: JobRuns) -> None:
    with pytest.raises(RedisUnavailable):
        tasks.dispatch_chunks()


def test_tasks_end_before_their_messages_come_again() -> None:
    assert max(PLAN_SOFT_S, CHUNK_SOFT_S) + GRACE_S < VISIBILITY_TIMEOUT_S
