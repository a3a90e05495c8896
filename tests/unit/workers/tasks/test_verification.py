"""A verification job ends as a version or with a reason, whatever happens to its workers on the way."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.db.repositories.jobs import JobFacts, JobRepository, JobState
from app.errors import ForbiddenCode, RedisUnavailable, StoreUnreachable
from app.services.publishing import Submission
from app.setting_rules import LONGEST_VERIFICATION_S
from model_store.manifest import decode_draft
from model_store.model_ref import ModelRef
from tests.factories.database import make_database
from tests.factories.settings import make_settings
from tests.factories.uploads import MANIFEST
from tests.factories.versions import accept
from workers.bootstrap import WorkerParts, assemble
from workers.tasks import verification
from workers.tasks.verification import LONGEST_S, verify_version
from workers.verification.limited_process import END_S, START_S
from workers.verification.limits import VerificationLimits
from workers.verification.verdict import Verdict

Report = Callable[[str], None]


def ignore(_report: Report) -> None:
    """Do nothing."""


class Verifier:
    """Stands for the limited process: it lets everything pass, unless a test gives it something to do."""

    def __init__(self) -> None:
        self.runs = 0
        self.act: Callable[[Report], None] = ignore

    def __call__(self, folder: Path, *, limits: VerificationLimits, report: Report) -> Verdict:
        """Verify a staged folder."""
        assert limits.wall_s > 0
        self.runs += 1
        report("trying it out")
        self.act(report)
        manifest = decode_draft((folder / "manifest.json").read_bytes())
        return Verdict(manifest=manifest)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[WorkerParts]:
    make_database(tmp_path).close()
    parts = assemble(make_settings(tmp_path, redis_url=f"unix://{tmp_path}/no-redis.sock"))
    verify_version.app.parts = parts  # type: ignore[attr-defined]
    yield parts
    parts.close()


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> Verifier:
    verifier = Verifier()
    monkeypatch.setattr(verification, "verify_isolated", verifier)
    return verifier


def submit(parts: WorkerParts, manifest: bytes = MANIFEST, *, alias: str | None = None) -> str:
    with parts.publishing.receiving("tiny") as (job_id, folder):
        (folder / "model.pt").write_bytes(b"weights")
        submission = Submission(
            job_id=job_id, client_id="checkout", model_name="tiny", manifest=manifest, alias=alias, pin=True
        )
        return parts.publishing.accept(submission).id


def run(job_id: str) -> str:
    result: str = verify_version(job_id)  # type: ignore[arg-type,call-arg]
    return result


def lose_worker(parts: WorkerParts, job: JobFacts) -> None:
    """Let the lease of a running job end, as if its worker had not been heard of for long."""
    with parts.database.write() as session:
        JobRepository(session).change_held(job, lease_until=datetime.now(UTC) - timedelta(seconds=1))


def come_due(parts: WorkerParts, job_id: str) -> None:
    """Let the pause of a job that waits end."""
    with parts.database.write() as session:
        assert JobRepository(session).change_waiting(job_id, not_before=None)


def claim(parts: WorkerParts, job_id: str) -> JobFacts:
    job = parts.jobs.claim(job_id)
    assert job is not None
    return job


def test_good_upload_becomes_a_version(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts, alias="stable")

    assert run(job_id) == "ended"

    job = parts.jobs.find(job_id)
    assert (job.state, job.version, job.result, job.error) == ("succeeded", 1, {"version": 1}, None)
    model = parts.releases.catalog()["tiny"]
    assert model.aliases == {"default": 1, "stable": 1}
    assert (model.versions[1].created_by, model.versions[1].is_pinned) == ("checkout", True)
    assert not parts.publishing._quarantine.folder(job_id).exists()


def test_refused_upload_says_why(parts: WorkerParts, verifier: Verifier) -> None:
    def refuse(_report: Report) -> None:
        raise ForbiddenCode("The code calls aten::save.")

    verifier.act = refuse
    job_id = submit(parts)
    run(job_id)

    job = parts.jobs.find(job_id)
    assert (job.state, job.error) == ("failed", {"code": "forbidden_code", "detail": "The code calls aten::save."})
    assert parts.releases.catalog() == {}
    assert not parts.publishing._quarantine.folder(job_id).exists()


def test_task_that_comes_twice_is_done_once(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts)
    run(job_id)
    run(job_id)

    assert (verifier.runs, parts.store.refs()) == (1, [ModelRef("tiny", 1)])


def test_of_two_publishes_of_one_version_one_wins(parts: WorkerParts, verifier: Verifier) -> None:
    """Over HTTP the second is refused at once; a command on the server may still come between."""
    first = submit(parts, MANIFEST.replace(b"{", b'{"version": 5, ', 1))

    def overtake(_report: Report) -> None:
        verifier.act = ignore
        by_hand = replace(parts.publishing.draft(parts.jobs.find(first)), job="")
        parts.releases.release(by_hand, prove=accept, by="cli")

    verifier.act = overtake
    run(first)

    loser = parts.jobs.find(first)
    assert (loser.state, (loser.error or {})["code"]) == ("failed", "version_exists")
    assert parts.store.refs() == [ModelRef("tiny", 5)]


def test_job_of_a_lost_worker_is_done_again(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts)
    lose_worker(parts, claim(parts, job_id))

    run(job_id)

    job = parts.jobs.find(job_id)
    assert (job.state, job.attempt, job.version) == ("succeeded", 2, 1)


def test_version_that_a_lost_worker_published_is_not_published_again(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts)
    job = claim(parts, job_id)
    # It published, and died before it said so.
    draft = parts.publishing.draft(job)
    parts.releases.release(draft, prove=lambda _folder: None, by="checkout", alias=None)
    lose_worker(parts, job)

    run(job_id)

    assert (parts.jobs.find(job_id).version, verifier.runs) == (1, 0)
    assert parts.store.refs() == [ModelRef("tiny", 1)]


def test_version_that_only_the_store_has_is_recorded(
    parts: WorkerParts, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(parts, alias="stable")

    def die(*_args: object, **_options: object) -> None:
        raise StoreUnreachable("the worker was killed between store and SQL")

    with monkeypatch.context() as patched:
        patched.setattr(parts.releases, "_enter", die)
        assert run(job_id) == "another worker's, or waits"
    assert (parts.store.refs(), parts.releases.catalog()) == ([ModelRef("tiny", 1)], {})

    come_due(parts, job_id)
    run(job_id)
    assert parts.releases.catalog()["tiny"].aliases == {"default": 1, "stable": 1}
    assert parts.jobs.find(job_id).state == JobState.SUCCEEDED


def test_worker_that_lost_its_job_publishes_nothing(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts)

    def come_back_late(_report: Report) -> None:
        lose_worker(parts, parts.jobs.find(job_id))
        claim(parts, job_id)

    verifier.act = come_back_late
    run(job_id)

    job = parts.jobs.find(job_id)
    assert (job.state, job.attempt, parts.store.refs()) == ("running", 2, [])
    assert parts.publishing.draft(job).artifact.is_file()


@pytest.mark.parametrize("error", [RedisUnavailable("away"), StoreUnreachable("away")])
def test_outage_lets_the_job_wait(parts: WorkerParts, verifier: Verifier, error: Exception) -> None:
    def fail(_report: Report) -> None:
        raise error

    verifier.act = fail
    job_id = submit(parts)
    assert run(job_id) == "another worker's, or waits"

    assert parts.jobs.find(job_id).state == JobState.QUEUED
    assert parts.publishing.draft(parts.jobs.find(job_id)).artifact.is_file()
    verifier.act = ignore
    come_due(parts, job_id)
    run(job_id)
    assert parts.jobs.find(job_id).state == JobState.SUCCEEDED


def test_mistake_of_ours_ends_the_job_and_is_logged(parts: WorkerParts, verifier: Verifier) -> None:
    def break_down(_report: Report) -> None:
        raise ZeroDivisionError("a mistake in a path of /the/server")

    verifier.act = break_down
    job_id = submit(parts)
    with pytest.raises(ZeroDivisionError):
        run(job_id)

    error = parts.jobs.find(job_id).error or {}
    assert error["code"] == "job_abandoned"
    assert "/the/server" not in error["detail"]


def test_upload_that_is_elsewhere_is_told(parts: WorkerParts, verifier: Verifier) -> None:
    job_id = submit(parts)
    parts.publishing.forget(job_id)
    run(job_id)

    assert (parts.jobs.find(job_id).error or {})["code"] == "upload_lost"


def test_the_longest_verification_ends_before_its_task_is_ended() -> None:
    assert START_S + LONGEST_VERIFICATION_S + END_S < LONGEST_S
