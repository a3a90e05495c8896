"""Tickets follow tickets while chunks wait, and are never more than are of use."""

from collections.abc import Iterator
from unittest import mock

import pytest

from app.infra.task_names import QueueName, TaskName, priority_of
from tests.factories.job_runs import JobRuns, bodies, waiting_tickets
from workers.batch.tickets import MOST_TICKETS, send_following, send_missing

MANY = bodies(range(5452 * (MOST_TICKETS + 1)))
"""They make one chunk more than tickets are sent at once."""


@pytest.fixture
def waiting(runs: JobRuns) -> Iterator[mock.Mock]:
    with waiting_tickets(runs) as waiting:
        runs.planned(MANY)
        runs.broker.sent.clear()
        yield waiting


@pytest.mark.parametrize(("tickets", "following"), [(0, 1), (MOST_TICKETS - 1, 1), (MOST_TICKETS, 0), (500, 0)])
def test_a_ticket_is_followed_unless_enough_wait(
    runs: JobRuns, waiting: mock.Mock, tickets: int, following: int
) -> None:
    waiting.return_value = tickets
    send_following(runs.parts, QueueName.BATCH)

    assert runs.broker.sent == [(TaskName.RUN_CHUNK, ())] * following
    waiting.assert_called_once_with("batch\x06\x166")


def test_none_follows_where_no_chunk_waits(runs: JobRuns, waiting: mock.Mock) -> None:
    send_following(runs.parts, QueueName.HEAVY)

    assert runs.broker.sent == []
    waiting.assert_not_called()


def test_without_the_broker_none_follows(runs: JobRuns) -> None:
    runs.planned(bodies(range(10)))
    runs.broker.sent.clear()
    send_following(runs.parts, QueueName.BATCH)

    assert runs.broker.sent == []


def test_as_many_are_sent_as_can_be_of_use_where_none_waits(runs: JobRuns, waiting: mock.Mock) -> None:
    assert send_missing(runs.parts, QueueName.BATCH) == MOST_TICKETS
    waiting.return_value = 1
    assert send_missing(runs.parts, QueueName.BATCH) == 0
    assert len(runs.broker.sent) == MOST_TICKETS


def test_plans_and_calls_go_before_tickets() -> None:
    for ticket in (TaskName.RUN_CHUNK, TaskName.RUN_HEAVY_CHUNK):
        assert priority_of(TaskName.INFER_HEAVY) < priority_of(TaskName.PLAN_JOB) < priority_of(ticket)
