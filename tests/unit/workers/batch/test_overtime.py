"""Work whose time is up stops at its next step; what is only to be recorded is recorded all the same."""

from collections.abc import Callable

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from app.db.repositories.jobs import JobState
from app.errors import DatabaseUnavailable
from app.infra.task_names import QueueName
from app.services import recording
from app.services.lease_renewal import LeaseLost
from tests.factories.job_runs import JobRuns, bodies
from workers.batch import chunk_run, planning
from workers.batch.overtime import recorded_in_overtime
from workers.batch.running import run_next


def overtime(work: Callable[[], object], *, on_overtime: Callable[[], None], **_: object) -> None:
    """Let the time be up as soon as the work begins: it is to end at its first step, whatever else goes wrong."""
    try:
        on_overtime()
    finally:
        with pytest.raises(LeaseLost):
            work()
    raise SoftTimeLimitExceeded


def away_at_first(monkeypatch: pytest.MonkeyPatch, service: object, call: str, *, times: int) -> None:
    """Let SQL be away for the first calls of a service."""
    answer, left = getattr(service, call), [DatabaseUnavailable("away")] * times

    def answer_at_last(*args: object) -> object:
        if left:
            raise left.pop()
        return answer(*args)

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    monkeypatch.setattr(service, call, answer_at_last)


def test_record_goes_on_when_the_limit_strikes_amid_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = [DatabaseUnavailable("away"), SoftTimeLimitExceeded(), DatabaseUnavailable("away")]

    def record() -> str:
        if faults:
            raise faults.pop(0)
        return "heard"

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    assert recorded_in_overtime(record, what="the end") == "heard"
    assert faults == []


def test_limit_strikes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def record() -> None:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        recorded_in_overtime(record, what="the end")


@pytest.mark.parametrize("faults", [0, 1])
def test_chunk_that_takes_too_long_ends_the_job_naming_its_rows(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch, faults: int
) -> None:
    job_id = runs.planned(bodies(range(10)))
    monkeypatch.setattr(chunk_run, "run_nicely", overtime)
    away_at_first(monkeypatch, runs.parts.chunks, "fail", times=faults)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "took too long"
    assert runs.job(job_id).error == {
        "code": "deadline_exceeded", "detail": "The rows 1 to 10 were not done within 900 s.",
    }  # fmt: skip


@pytest.mark.parametrize("faults", [0, 1])
def test_plan_that_takes_too_long_ends_the_job(runs: JobRuns, monkeypatch: pytest.MonkeyPatch, faults: int) -> None:
    job_id = runs.post(bodies([1]))
    monkeypatch.setattr(planning, "run_nicely", overtime)
    away_at_first(monkeypatch, runs.parts.jobs, "fail", times=faults)
    runs.plan(job_id)

    assert (runs.job(job_id).error or {})["code"] == "deadline_exceeded"


def test_chunk_that_takes_too_long_while_sql_stays_away_stops_and_waits(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = runs.planned(bodies(range(10)))
    monkeypatch.setattr(chunk_run, "run_nicely", overtime)
    away_at_first(monkeypatch, runs.parts.chunks, "fail", times=2)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "waits"
    assert runs.job(job_id).state == JobState.RUNNING
