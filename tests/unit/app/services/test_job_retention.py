"""What jobs left goes in time, and nothing that somebody may still read."""

import os
import time
from pathlib import Path

import pytest

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts
from app.db.session import Database
from app.errors import ResultsGone, StoreUnreachable
from app.infra.job_files import JobFiles, open_job_files
from app.infra.task_names import QueueName
from app.services.batch_jobs import BatchJobs
from app.services.chunk_queue import ChunkOutcome, ChunkQueue, HeldChunk
from app.services.job_retention import ORPHANED_S, STRAYED_S, JobRetention, Removal
from app.services.job_room import JobRoom
from app.services.jobs import LEASE_S as JOB_LEASE_S
from app.services.jobs import JobService, new_job_id
from tests.fakes.clock import START, FakeClock
from tests.unit.app.services.job_drafts import Sent, submission

DAY_S = 24 * 3600.0
KEEP_DAYS = 7
LEASE_S = 30.0


class Bench:
    """Jobs of one chunk, their files, and the retention of both."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.clock = FakeClock()
        self.folder = folder
        self.files = open_job_files(str(folder), folder)
        clock, send = self.clock.clock(), Sent()
        self.batch = BatchJobs(database, send, most_open=100, clock=clock)
        self.jobs = JobService(database, send, clock=clock)
        self.chunks = ChunkQueue(database, lease_s=LEASE_S, clock=clock)
        room = JobRoom(self.files, reserve_bytes=0, has_files=self.batch.has_files)
        room.check_mounted()
        self.retention = JobRetention(database, self.batch, room, keep_days=KEEP_DAYS, clock=clock)

    def submit(self) -> JobFacts:
        """Post a job with its input."""
        one = ChunkDraft(first_row=1, row_count=1, place={})
        job, _ = self.batch.submit(submission(chunks=(one,)))
        self.write(job.id, "input.ndjson")
        return job

    def take(self) -> HeldChunk:
        """Take the one chunk there is."""
        held = self.chunks.claim(QueueName.BATCH)
        assert held is not None
        return held

    def finish(self, held: HeldChunk) -> str:
        """Write a chunk's results and commit it; return the name of the file."""
        name = f"results/000000.{held.facts.attempt}.ndjson"
        self.write(held.job.id, name)
        assert self.chunks.commit(held, ChunkOutcome(done=1, failed=0, results=name, errors=""))
        return name

    def lose(self, job: JobFacts | None) -> JobFacts:
        """Let the lease of a job end that was taken; return the job."""
        assert job is not None
        self.clock.advance(JOB_LEASE_S + 1)
        return job

    def write(self, job_id: str, name: str, *, age_s: float = 0.0) -> None:
        """Write a file as old as `age_s` by the clock of the tests."""
        with self.files.writer(job_id, name) as file:
            file.write(b"rows")
        written_at = START + self.clock.elapsed_s - age_s
        os.utime(self.folder / job_id / name, (written_at, written_at))


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path / "jobs")


def test_results_go_when_they_were_kept_for_long_enough(bench: Bench) -> None:
    job = bench.submit()
    bench.finish(bench.take())
    bench.clock.advance(KEEP_DAYS * DAY_S - 1)
    assert bench.retention.purge().removed == []
    assert bench.files.job_ids() == [job.id]

    bench.clock.advance(2)
    assert bench.retention.purge().removed == [job.id]
    assert bench.files.job_ids() == []
    assert bench.retention.purge().removed == []


def test_row_of_the_job_stays_and_says_so(bench: Bench) -> None:
    job = bench.submit()
    bench.finish(bench.take())
    bench.clock.advance(KEEP_DAYS * DAY_S + 1)
    bench.retention.purge()

    purged = bench.jobs.find(job.id)
    assert (purged.state, purged.done) == ("succeeded", 1)
    with pytest.raises(ResultsGone):
        bench.batch.written_chunks(purged)


def test_open_job_is_kept_for_ever(bench: Bench) -> None:
    job = bench.submit()
    bench.clock.advance(100 * KEEP_DAYS * DAY_S)

    assert bench.retention.purge().removed == []
    assert len(bench.retention.sweep().removed) == 0
    assert bench.files.job_ids() == [job.id]


def end_jobs(bench: Bench, count: int) -> list[str]:
    """Have jobs whose time is over, the first one first."""
    jobs = []
    for _ in range(count):
        jobs.append(bench.submit().id)
        bench.finish(bench.take())
        bench.clock.advance(1)
    bench.clock.advance(KEEP_DAYS * DAY_S)
    return jobs


def stick(patch: pytest.MonkeyPatch, stuck: list[str]) -> None:
    """Let the files of these jobs stay, whoever removes them."""
    delete = JobFiles.delete

    def refuse(files: JobFiles, job_id: str, folder: str = "") -> None:
        if job_id in stuck:
            raise StoreUnreachable("The files of jobs cannot be reached: Permission denied.")
        delete(files, job_id, folder)

    patch.setattr(JobFiles, "delete", refuse)


def test_files_that_cannot_be_removed_stop_no_others_and_are_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = end_jobs(bench, 3)
    with monkeypatch.context() as patch:
        stick(patch, [first])
        assert bench.retention.purge() == Removal([second, third], failed=1)

    assert f"files of job {first} cannot be removed" in caplog.text
    assert bench.retention.purge() == Removal([first])


def test_orphan_that_cannot_be_removed_stops_no_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    orphans = sorted(new_job_id() for _ in range(3))
    for job_id in orphans:
        bench.write(job_id, "input.csv", age_s=ORPHANED_S + 60)
    with monkeypatch.context() as patch:
        stick(patch, orphans[:1])
        swept = bench.retention.sweep()

    assert (len(swept.removed), swept.failed, bench.files.job_ids()) == (2, 1, orphans[:1])


def test_purge_ends_where_nothing_can_be_removed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.job_retention.MOST_FAILED", 2)
    stick(monkeypatch, end_jobs(bench, 4))

    with pytest.raises(StoreUnreachable):
        bench.retention.purge()


def test_jobs_are_purged_page_by_page(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.job_retention.PAGE", 2)
    jobs = end_jobs(bench, 5)
    stick(monkeypatch, jobs[:2])

    assert bench.retention.purge() == Removal(jobs[2:], failed=2)


def test_nothing_is_purged_or_swept_of_a_disk_that_is_not_mounted(bench: Bench) -> None:
    (job,) = end_jobs(bench, 1)
    bench.folder.rename(bench.folder.with_name("elsewhere"))
    for look in (bench.retention.purge, bench.retention.sweep):
        bench.folder.mkdir(exist_ok=True)
        with pytest.raises(StoreUnreachable, match="mounted"):
            look()
    assert bench.jobs.find(job).purged_at is None

    bench.folder.rmdir()
    bench.folder.with_name("elsewhere").rename(bench.folder)
    assert bench.retention.purge().removed == [job]


@pytest.mark.parametrize(("age_s", "swept"), [(ORPHANED_S - 60, 0), (ORPHANED_S + 60, 1)])
def test_files_without_a_job_go_after_a_day(bench: Bench, age_s: float, swept: int) -> None:
    bench.write(new_job_id(), "input.csv", age_s=age_s)

    assert len(bench.retention.sweep().removed) == swept
    assert len(bench.files.job_ids()) == 1 - swept


def test_folders_that_are_not_ours_stay(bench: Bench) -> None:
    bench.write("family-pictures", "one.png", age_s=10 * ORPHANED_S)

    assert len(bench.retention.sweep().removed) == 0
    assert bench.files.job_ids() == ["family-pictures"]


def test_files_that_came_after_the_purge_go_too(bench: Bench) -> None:
    """A worker that was thought lost wrote them."""
    job = bench.submit()
    bench.finish(bench.take())
    bench.clock.advance(KEEP_DAYS * DAY_S + 1)
    bench.retention.purge()
    bench.write(job.id, "results/000000.1.ndjson", age_s=ORPHANED_S + 1)

    assert len(bench.retention.sweep().removed) == 1
    assert bench.files.job_ids() == []


def test_output_of_attempts_that_did_not_count_goes(bench: Bench) -> None:
    job = bench.submit()
    lost = bench.take()
    bench.write(job.id, f"results/000000.{lost.facts.attempt}.ndjson")
    bench.write(job.id, f"errors/000000.{lost.facts.attempt}.ndjson")
    bench.clock.advance(LEASE_S + 1)
    name = bench.finish(bench.take())
    bench.clock.advance(STRAYED_S - 1)
    assert len(bench.retention.sweep().removed) == 0

    bench.clock.advance(2)
    assert len(bench.retention.sweep().removed) == 2
    assert bench.files.names(job.id, "results") == [name]
    assert bench.files.size(job.id, "input.ndjson") == 4


def test_output_that_a_cancelled_job_did_not_want_goes(bench: Bench) -> None:
    job = bench.submit()
    held = bench.take()
    bench.batch.cancel(job.id)
    bench.write(job.id, f"results/000000.{held.facts.attempt}.ndjson")
    bench.clock.advance(STRAYED_S + 1)

    assert len(bench.retention.sweep().removed) == 1
    assert bench.files.names(job.id, "results") == []


@pytest.mark.parametrize("count", [1, 2])
def test_slices_of_a_planner_that_was_lost_go(bench: Bench, count: int) -> None:
    job, _ = bench.batch.submit(submission())
    held = [bench.lose(bench.jobs.claim(job.id)) for _ in range(2)][-1]
    for name in ("slices/1.000001.arrow", "slices/2.000001.arrow", "slices/2.000002.arrow"):
        bench.write(job.id, name)
    named = [f"slices/2.00000{number}.arrow" for number in range(1, count + 1)]
    chunks = [ChunkDraft(first_row=i + 1, row_count=1, place={"slice": name}) for i, name in enumerate(named)]
    assert bench.batch.save_plan(held, chunks)
    bench.batch.cancel(job.id)
    bench.clock.advance(STRAYED_S + 1)

    assert len(bench.retention.sweep().removed) == 3 - count
    assert bench.files.names(job.id, "slices") == named


def test_slices_of_a_plan_that_never_was_go(bench: Bench) -> None:
    job, _ = bench.batch.submit(submission())
    bench.lose(bench.jobs.claim(job.id))
    bench.write(job.id, "slices/1.000001.arrow")
    bench.batch.cancel(job.id)
    bench.clock.advance(STRAYED_S + 1)

    assert len(bench.retention.sweep().removed) == 1
    assert bench.files.names(job.id, "slices") == []


def test_what_was_left_half_received_goes(bench: Bench) -> None:
    with bench.files.receiving("old") as old, bench.files.receiving("new") as new:
        for folder, age_s in ((old, ORPHANED_S + 60), (new, ORPHANED_S - 60)):
            os.utime(folder, (time.time() - age_s,) * 2)

        assert len(bench.retention.sweep().removed) == 1
        assert (old.exists(), new.exists()) == (False, True)
