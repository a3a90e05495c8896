"""Inputs are cut into chunks that take some seconds, once, whatever happens to who cuts them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts, JobState
from app.errors import DatabaseUnavailable, DiskFull, EmptyInput, StoreUnreachable
from app.infra.job_files import SLICES
from app.infra.task_names import QueueName, TaskName
from app.scenarios.job_inputs import InputFormat
from app.services import recording
from app.services.back_off import LONGEST_PAUSE_S, MOST_FAULTS
from app.services.batch_jobs import FIRST_TICKETS
from app.services.jobs import LEASE_S, MOST_ATTEMPTS, SENT_S, JobService
from tests.factories.job_cuts import Cuts, chunks_of, parquet_of, read_with
from tests.factories.job_runs import JobRuns, bodies
from workers.batch import planning
from workers.batch.chunk_sizes import batch_rows_of
from workers.batch.inputs.reader import ReaderLost
from workers.batch.running import run_next


def test_short_disk_lets_the_job_wait(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.post(bodies(range(10)))
    with monkeypatch.context() as patched:
        patched.setattr(runs.parts.job_room, "is_short", lambda: True)
        runs.plan(job_id)
    waiting = runs.job(job_id)
    assert (waiting.state, waiting.attempt, waiting.stage) == (JobState.QUEUED, 0, "waits: the disk of jobs")

    assert runs.parts.jobs.send_plans() == [job_id]
    runs.plan(job_id)
    assert (runs.job(job_id).chunk_count, runs.job(job_id).stage) == (1, "")


def test_planned_job_runs_with_its_total_known_and_its_tickets_sent(runs: JobRuns) -> None:
    job_id = runs.post(bodies(range(20_000)))
    runs.plan(job_id)

    job = runs.job(job_id)
    # 2000 rows a second, and 50 µs for each besides.
    assert chunks_of(runs, job_id) == [(1 + 5452 * i, min(5452, 20_000 - 5452 * i)) for i in range(4)]
    assert (job.state, job.total, job.chunk_count, job.lease_until) == (JobState.RUNNING, 20_000, 4, None)
    assert runs.broker.sent == [(TaskName.PLAN_JOB, (job_id,))] + [(TaskName.RUN_CHUNK, ())] * FIRST_TICKETS


def test_batches_are_those_that_were_best_when_the_version_was_verified(runs: JobRuns) -> None:
    job_id = runs.post(bodies([1]))
    runs.plan(job_id)

    assert runs.take().facts.place["batch_rows"] == 4
    assert batch_rows_of({}, runs.world.manifest()) == 1


def test_job_is_planned_once_however_often_its_task_comes(runs: JobRuns) -> None:
    job_id = runs.post(bodies(range(100)))
    runs.plan(job_id)
    runs.run_all()
    runs.plan(job_id)

    assert (runs.job(job_id).state, runs.job(job_id).attempt) == (JobState.SUCCEEDED, 1)


def test_planner_whose_job_is_anothers_by_now_saves_nothing(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtake() -> None:
        runs.lose_lease(job_id)
        assert runs.parts.jobs.claim(job_id) is not None

    job_id = runs.post(bodies([1]))
    read_with(monkeypatch, Cuts(2 * 5452, overtake))
    runs.plan(job_id)

    assert (runs.job(job_id).attempt, runs.job(job_id).chunk_count) == (2, None)
    assert chunks_of(runs, job_id) == []


def test_job_of_a_killed_planner_is_planned_again(runs: JobRuns) -> None:
    job_id = runs.post(bodies(range(10)))
    assert runs.parts.jobs.claim(job_id) is not None
    runs.clock.advance(LEASE_S + 1)
    runs.broker.sent.clear()

    assert runs.parts.jobs.resend_lost() == runs.parts.jobs.send_plans() == [job_id]
    assert runs.broker.sent == [(TaskName.PLAN_JOB, (job_id,))]
    runs.plan(job_id)
    assert (runs.job(job_id).total, runs.job(job_id).attempt, runs.job(job_id).losses) == (10, 2, 1)


def test_planned_job_is_not_taken_for_lost_by_a_late_renewal(runs: JobRuns) -> None:
    job_id = runs.post(bodies([1]))
    runs.plan(job_id)

    assert not runs.parts.jobs.renew(runs.job(job_id))
    runs.clock.advance(timedelta(days=1).total_seconds())
    assert runs.parts.jobs.resend_lost() == []


@pytest.mark.parametrize("error", [DatabaseUnavailable("The connection broke at COMMIT."), SoftTimeLimitExceeded()])
def test_plan_whose_record_was_not_confirmed_is_not_made_again(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save_plan, answers = runs.parts.batch_jobs.save_plan, list[bool]()

    def hear_nothing_at_first(job: JobFacts, chunks: Sequence[ChunkDraft]) -> bool:
        answers.append(save_plan(job, chunks))
        if len(answers) == 1:
            run_next(runs.parts, runs.engine, QueueName.BATCH)
            raise error
        return answers[-1]

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    monkeypatch.setattr(runs.parts.batch_jobs, "save_plan", hear_nothing_at_first)
    job_id = runs.post(bodies(range(6000)))
    runs.plan(job_id)
    runs.plan(job_id)

    assert answers == [True, True]
    assert (runs.job(job_id).state, runs.job(job_id).attempt, runs.job(job_id).done) == (JobState.RUNNING, 1, 5452)
    runs.run_all()
    assert (runs.job(job_id).state, len(runs.lines(job_id))) == (JobState.SUCCEEDED, 6000)


def test_full_disk_ends_the_job_and_an_outage_lets_it_wait(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill() -> None:
        raise DiskFull("The disk has no room.")

    def unplug() -> None:
        raise StoreUnreachable("away")

    full, away = runs.post(bodies([1])), runs.post(bodies([1]))
    read_with(monkeypatch, Cuts(2 * 5452, fill))
    runs.plan(full)
    read_with(monkeypatch, Cuts(2 * 5452, unplug))
    runs.plan(away)

    assert runs.job(full).error == {"code": "disk_full", "detail": "The disk has no room."}
    assert (runs.job(away).state, runs.job(away).stage) == (JobState.QUEUED, "waits: store_unreachable")


def test_outage_lets_the_input_wait_for_longer_each_time_and_in_the_end_ends_the_job(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unplug() -> None:
        raise StoreUnreachable("The files are away.")

    cuts = read_with(monkeypatch, Cuts(2 * 5452, unplug))
    job_id = runs.post(bodies([1]))
    for faults in range(1, MOST_FAULTS + 1):
        runs.plan(job_id)
        # Neither sent nor begun before its time.
        assert runs.parts.jobs.send_plans() == []
        runs.plan(job_id)
        assert (runs.job(job_id).faults, runs.job(job_id).losses, len(cuts.limits)) == (faults, 0, faults)
        runs.clock.advance(LONGEST_PAUSE_S)
        assert runs.parts.jobs.send_plans() == [job_id]

    runs.plan(job_id)
    assert runs.job(job_id).error == {"code": "store_unreachable", "detail": "The files are away."}


def test_outage_of_the_input_is_forgotten_with_the_plan(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def unplug() -> None:
        raise StoreUnreachable("away")

    job_id = runs.post(bodies(range(10)))
    with monkeypatch.context() as patched:
        read_with(patched, Cuts(2 * 5452, unplug))
        runs.plan(job_id)
    runs.clock.advance(LONGEST_PAUSE_S)
    runs.plan(job_id)

    job = runs.job(job_id)
    assert (job.chunk_count, job.faults, job.not_before, job.stage) == (1, 0, None, "")


def test_input_that_ends_each_process_that_reads_it_ends_its_job(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        raise ReaderLost("SIGKILL")

    read_with(monkeypatch, Cuts(2 * 5452, end))
    job_id = runs.post(bodies([1]))
    for losses in range(MOST_ATTEMPTS):
        assert (runs.job(job_id).losses, runs.job(job_id).faults) == (losses, 0)
        runs.plan(job_id)
        runs.clock.advance(LONGEST_PAUSE_S)

    error = runs.job(job_id).error or {}
    assert (error["code"], "5 workers were lost" in error["detail"]) == ("job_abandoned", True)


def test_plan_that_takes_too_long_ends_the_job(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtime(*_: object, **_options: object) -> None:
        raise SoftTimeLimitExceeded

    job_id = runs.post(bodies([1]))
    monkeypatch.setattr(planning, "run_nicely", overtime)
    runs.plan(job_id)

    assert (runs.job(job_id).error or {})["code"] == "deadline_exceeded"


def test_planner_that_learns_late_that_its_job_is_lost_takes_its_slices_away(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.parts.batch_jobs, "save_plan", lambda *_: False)
    job_id = runs.planned(parquet_of(10), input_format=InputFormat.PARQUET)

    assert runs.parts.job_files.names(job_id, SLICES) == []


def test_second_job_of_a_client_waits_for_the_plan_of_the_first(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_for_another() -> None:
        runs.plan(second)
        assert (runs.job(second).state, runs.job(second).attempt) == (JobState.QUEUED, 0)
        assert runs.parts.jobs.send_plans() == []

    first, second = runs.post(bodies([1])), runs.post(bodies([1]))
    read_with(monkeypatch, Cuts(2 * 5452, ask_for_another))
    runs.broker.sent.clear()
    runs.plan(first)

    # Its task is sent as soon as the first is planned.
    assert runs.broker.sent == [(TaskName.RUN_CHUNK, ())] * 2 + [(TaskName.PLAN_JOB, (second,))]
    assert runs.parts.jobs.send_plans() == []


def test_job_of_a_lost_planner_waits_for_its_turn_too(runs: JobRuns) -> None:
    lost, held = runs.post(bodies([1])), runs.post(bodies([1]))
    assert runs.parts.jobs.claim_plan(lost) is not None
    runs.clock.advance(LEASE_S + 1)
    assert runs.parts.jobs.claim_plan(held) is not None
    runs.plan(lost)

    waiting = runs.job(lost)
    assert (waiting.state, waiting.attempt, waiting.losses) == (JobState.QUEUED, 1, 1)
    assert waiting.stage == "waits: its turn"
    runs.parts.jobs.fail(runs.job(held), EmptyInput())
    assert runs.parts.jobs.send_plans() == [lost]


def test_job_that_must_wait_as_soon_as_its_task_is_sent_is_due_again(runs: JobRuns) -> None:
    job_id = runs.post(bodies([1]))
    runs.clock.advance(SENT_S + 1)
    other = runs.post(bodies([1]))

    def receive(_task: TaskName, sent_id: str) -> None:
        assert jobs.claim_plan(other) is not None
        assert jobs.claim_plan(sent_id) is None
        jobs.fail(runs.job(other), EmptyInput())

    jobs = JobService(runs.database, receive, clock=runs.clock.clock())
    assert jobs.send_plans() == [job_id]
    assert runs.parts.jobs.send_plans() == [job_id]
