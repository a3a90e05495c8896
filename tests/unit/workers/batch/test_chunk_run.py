"""A chunk is run, and its end recorded once; whatever fails on the way ends the job, or lets the chunk wait."""

import errno
import os
import resource
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from prometheus_client import REGISTRY

from app.db.repositories.job_chunks import ChunkState
from app.db.repositories.jobs import JobState
from app.errors import DatabaseUnavailable, GalleyError, RedisUnavailable, StoreUnreachable
from app.infra.job_files import INPUT
from app.infra.task_names import QueueName
from app.services import recording
from app.services.chunk_queue import ChunkOutcome, HeldChunk
from tests.factories.job_runs import JobRuns, bodies
from tests.factories.waiting import wait_until
from workers.batch import chunk_run
from workers.batch.chunk_run import ChunkRun
from workers.batch.row_groups import AnsweredGroup, RowRunner
from workers.batch.running import run_next

USERS = 11_000
"""As many make three chunks."""


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have `act` done while a chunk is worked on: before its first group of rows is answered."""
    answer = RowRunner._answer

    def act_first(runner: RowRunner, group: object) -> AnsweredGroup:
        act()
        return answer(runner, group)  # type: ignore[arg-type]

    monkeypatch.setattr(RowRunner, "_answer", act_first)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"kind": "recommendations", **labels}) or 0.0


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> None:
        raise error

    meanwhile(monkeypatch, fail)


def test_lost_chunk_is_left_at_the_next_step(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed in vain, the lease is known to be lost; the rest of the rows is not run."""
    steps: list[int] = []

    def lose() -> None:
        steps.append(len(steps))
        runs.parts.batch_jobs.cancel(job_id)
        wait_until(lambda: not any(thread.name.startswith("lease") for thread in threading.enumerate()))

    job_id = runs.planned(bodies(range(USERS)))
    meanwhile(monkeypatch, lose)
    monkeypatch.setattr(runs.parts.chunks, "lease_s", 0.04)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "lost"
    assert (steps, runs.job(job_id).state, runs.names(job_id)) == ([0], JobState.CANCELLED, [])


def test_late_worker_commits_nothing(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtake() -> None:
        monkeypatch.undo()
        runs.clock.advance(runs.parts.settings.job_lease_s + 1)
        assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "rows 1 to 10 are done"

    job_id = runs.planned(bodies(range(10)))
    meanwhile(monkeypatch, overtake)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "lost"
    assert (runs.job(job_id).done, len(runs.lines(job_id))) == (10, 10)
    assert [chunk.attempt for chunk in runs.parts.batch_jobs.written_chunks(runs.job(job_id))] == [2]


@pytest.mark.parametrize("error", [StoreUnreachable("away"), RedisUnavailable("away")])
def test_outage_lets_the_chunk_wait(runs: JobRuns, monkeypatch: pytest.MonkeyPatch, error: GalleyError) -> None:
    job_id = runs.planned(bodies(range(10)))
    with monkeypatch.context() as patched:
        failing(patched, error)
        assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "waits"

    assert (runs.job(job_id).state, runs.parts.chunks.count_free(QueueName.BATCH)) == (JobState.RUNNING, 0)
    runs.clock.advance(60)
    runs.run_all()
    assert (runs.job(job_id).state, len(runs.lines(job_id))) == (JobState.SUCCEEDED, 10)


def test_full_disk_ends_the_job_and_leaves_nothing(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    job_id = runs.planned(bodies(range(10)) + b"?\n", max_error_share=0.5)
    with monkeypatch.context() as patched:
        patched.setattr("app.infra.job_files.os.fsync", fill)
        assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "failed"

    assert ((runs.job(job_id).error or {})["code"], runs.names(job_id)) == ("disk_full", [])


def test_memory_is_bounded_while_rows_are_run(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, seen = 2**50, []
    runs.parts = replace(runs.parts, settings=replace(runs.parts.settings, job_memory_limit=limit))
    meanwhile(monkeypatch, lambda: seen.append(resource.getrlimit(resource.RLIMIT_DATA)[0]))
    runs.planned(bodies(range(10)))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    runs.run_all()

    assert seen == [limit]
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_job_whose_input_is_gone_ends(runs: JobRuns) -> None:
    planned, waiting = runs.planned(bodies(range(10))), runs.post(bodies(range(10)))
    for job_id in (planned, waiting):
        runs.parts.job_files.delete(job_id)
    runs.plan(waiting)
    runs.run_all()

    reasons = [runs.job(job_id).error for job_id in (planned, waiting)]
    assert reasons == [{"code": "invalid_input_file", "detail": "The input is not there any more."}] * 2


def test_job_whose_input_lost_rows_ends(runs: JobRuns) -> None:
    data = bodies(range(10))
    job_id = runs.planned(data)
    with runs.parts.job_files.writer(job_id, INPUT) as file:
        file.write(data[: len(data) // 2].rpartition(b"\n")[0].ljust(len(data), b"\n"))
    runs.run_all()

    error = runs.job(job_id).error
    assert error is not None
    assert "changed or cut off" in error["detail"]
    assert runs.names(job_id) == []


def test_job_that_is_deleted_meanwhile_is_left(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    def delete() -> None:
        runs.parts.batch_jobs.cancel(job_id)
        runs.parts.jobs.delete(job_id)
        runs.parts.job_files.delete(job_id)

    job_id = runs.planned(bodies(range(10)))
    meanwhile(monkeypatch, delete)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "lost"


def test_mistake_of_ours_ends_the_job_and_travels_on(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.planned(bodies(range(10)))
    failing(monkeypatch, ZeroDivisionError("a mistake in a path of /the/server"))
    with pytest.raises(ZeroDivisionError):
        run_next(runs.parts, runs.engine, QueueName.BATCH)

    error = runs.job(job_id).error or {}
    assert error["code"] == "job_abandoned"
    assert "/the/server" not in error["detail"]


@pytest.mark.parametrize("is_heard", [True, False], ids=["SQL had heard it", "SQL had not"])
@pytest.mark.parametrize("error", [SoftTimeLimitExceeded(), DatabaseUnavailable("The connection broke at COMMIT.")])
def test_rows_that_are_done_count_though_nobody_heard_that_they_were_recorded(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch, error: Exception, is_heard: bool
) -> None:
    before = counted("galley_job_rows_total", outcome="ok"), counted("galley_job_chunks_lost_total")
    job_id = runs.planned(bodies(range(USERS)))
    commit, answers = runs.parts.chunks.commit, list[bool]()

    def break_once(held: HeldChunk, outcome: ChunkOutcome) -> bool:
        if not answers:
            answers.append(is_heard and commit(held, outcome))
            raise error
        return commit(held, outcome)

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    monkeypatch.setattr(runs.parts.chunks, "commit", break_once)
    runs.run_all()

    assert answers == [is_heard]
    assert (runs.job(job_id).state, runs.job(job_id).done) == (JobState.SUCCEEDED, USERS)
    after = counted("galley_job_rows_total", outcome="ok"), counted("galley_job_chunks_lost_total")
    assert after == (before[0] + USERS, before[1])


def test_time_that_is_up_before_anything_was_recorded_ends_the_job(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtime(*_: object) -> None:
        raise SoftTimeLimitExceeded

    job_id = runs.planned(bodies(range(10)))
    monkeypatch.setattr(chunk_run, "ChunkWork", overtime)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "took too long"
    assert (runs.job(job_id).error or {})["code"] == "deadline_exceeded"


@pytest.mark.parametrize("is_heard", [True, False])
def test_rows_that_were_done_before_a_long_outage_count_when_it_ends(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch, *, is_heard: bool
) -> None:
    job_id = runs.planned(bodies(range(10)))
    commit, lost = runs.parts.chunks.commit, counted("galley_job_chunks_lost_total")
    # As often as one attempt to record asks.
    left = [DatabaseUnavailable("away")] * 2

    def commit_at_last(held: HeldChunk, outcome: ChunkOutcome) -> bool:
        if left and not is_heard:
            raise left.pop()
        is_committed = commit(held, outcome)
        if left:
            raise left.pop()
        return is_committed

    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    monkeypatch.setattr(runs.parts.chunks, "commit", commit_at_last)

    assert run_next(runs.parts, runs.engine, QueueName.BATCH) == "rows 1 to 10 are done"
    assert (runs.job(job_id).state, runs.job(job_id).faults) == (JobState.SUCCEEDED, 0)
    assert counted("galley_job_chunks_lost_total") == lost


def test_what_is_done_outlives_an_outage_of_sql(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = runs.planned(bodies(range(10)))
    commit, left = runs.parts.chunks.commit, [DatabaseUnavailable("away")] * 2

    def commit_at_last(held: object, outcome: ChunkOutcome) -> bool:
        if left:
            raise left.pop()
        return commit(held, outcome)  # type: ignore[arg-type]

    monkeypatch.setattr(recording, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(runs.parts.chunks, "commit", commit_at_last)
    run = ChunkRun(runs.parts, runs.engine, runs.take())

    assert run.run() == "rows 1 to 10 are done"
    assert runs.job(job_id).state == JobState.SUCCEEDED


def test_outage_of_sql_that_lasts_leaves_the_chunk_to_whoever_comes_next(
    runs: JobRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = runs.planned(bodies(range(10)))
    run = ChunkRun(runs.parts, runs.engine, runs.take())
    monkeypatch.setattr(recording, "PAUSES_S", (0.0,))
    with monkeypatch.context() as patched:
        for call in ("commit", "give_back"):
            patched.setattr(runs.parts.chunks, call, _away)
        with pytest.raises(DatabaseUnavailable):
            run.run()

    runs.clock.advance(runs.parts.settings.job_lease_s + 1)
    runs.run_all()
    chunk = runs.parts.batch_jobs.written_chunks(runs.job(job_id))[0]
    assert (chunk.state, chunk.attempt, len(runs.lines(job_id))) == (ChunkState.DONE, 2, 10)


def _away(*_: object) -> bool:
    raise DatabaseUnavailable("away")


def test_rows_are_run_at_low_priority_which_ends_with_them(runs: JobRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    meanwhile(monkeypatch, lambda: seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
    before = os.getpriority(os.PRIO_PROCESS, 0)
    runs.planned(bodies(range(10)))
    runs.run_all()

    assert seen == [min(19, before + 10)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
