"""A ticket runs the chunk whose turn it is, and sends the next."""

import pytest

from app.infra.task_names import QueueName, TaskName
from app.services.back_off import FIRST_PAUSE_S
from tests.factories.fraud_jobs import payment_rows, scored_alone, told_by
from tests.factories.job_runs import JobRuns, bodies, waiting_tickets
from workers.batch.running import run_next

USERS = 11_000
"""As many make three chunks."""


def test_ticket_sends_the_next_as_long_as_there_are_chunks(runs: JobRuns) -> None:
    runs.planned(bodies(range(USERS)))
    runs.broker.sent.clear()

    with waiting_tickets(runs):
        assert [run_next(runs.parts, runs.engine, QueueName.BATCH) for _ in range(4)] == [
            "rows 1 to 5452 are done", "rows 5453 to 10904 are done", "rows 10905 to 11000 are done",
            "there is no chunk to take",
        ]  # fmt: skip
    assert runs.broker.sent == [(TaskName.RUN_CHUNK, ())] * 2


def test_short_disk_begins_no_chunk(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.planned(bodies(range(10)))
    with monkeypatch.context() as patched:
        patched.setattr(runs.parts.job_room, "is_short", lambda: True)
        assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "the disk is short"
    assert runs.job(job_id).stage == "waits: the disk of jobs"

    runs.run_all()
    assert runs.job(job_id).stage == ""
    assert [chunk.attempt for chunk in runs.parts.batch_jobs.written_chunks(runs.job(job_id))] == [1]


@pytest.mark.parametrize("trip", ["read", "move"])
def test_payments_wait_while_accounts_are_away_and_each_counts_once(runs: JobRuns, trip: str) -> None:
    runs.publish_fraud()
    job_id = runs.planned(payment_rows(100), kind="fraud", is_ordered=True)
    runs.sequences.is_away_for.add(trip)
    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "waits"
    assert (runs.job(job_id).stage, runs.names(job_id)) == ("waits: redis_unavailable", [])

    runs.sequences.is_away_for.clear()
    # Now it is written, and nobody learns of it.
    runs.sequences.loses_answers = True
    runs.clock.advance(2 * FIRST_PAUSE_S)
    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "waits"

    runs.sequences.loses_answers = False
    runs.clock.advance(4 * FIRST_PAUSE_S)
    assert runs.run_all() == 1
    assert told_by(runs.lines(job_id)) == scored_alone(100)
    assert (runs.job(job_id).stage, runs.job(job_id).done) == ("", 100)
