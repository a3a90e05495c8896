"""What upkeep does to a real store and database."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app.db.repositories.clients import ClientRepository
from app.db.repositories.jobs import JobFacts, JobRepository, JobState
from app.db.repositories.outcomes import OutcomeRepository
from app.db.repositories.removals import RemovalRepository
from app.errors import RedisUnavailable
from app.infra.metric_folding import fold_dead_process
from app.infra.metrics import MetricsReader
from app.services.jobs import VERIFICATION, JobDraft, new_job_id
from model_store.model_ref import ModelRef
from tests.factories.database import make_database
from tests.factories.jobs import make_job
from tests.factories.metric_files import leave_release
from tests.factories.outcomes import make_outcome
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft, publish_bytes
from workers.bootstrap import WorkerParts, assemble
from workers.tasks import maintenance


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[WorkerParts]:
    make_database(tmp_path).close()
    parts = assemble(make_settings(tmp_path, redis_url=f"unix://{tmp_path}/no-redis.sock"))
    maintenance.check_store.app.parts = parts  # type: ignore[attr-defined]
    yield parts
    parts.close()


def broken_versions() -> float | None:
    return REGISTRY.get_sample_value("galley_store_broken_versions")


def test_intact_store_has_no_broken_version(parts: WorkerParts, tmp_path: Path) -> None:
    publish_bytes(parts.store, tmp_path)

    assert maintenance.check_store() == []  # type: ignore[call-arg]
    assert broken_versions() == 0


def test_changed_file_breaks_only_its_version(parts: WorkerParts, tmp_path: Path) -> None:
    good, bad = publish_bytes(parts.store, tmp_path), publish_bytes(parts.store, tmp_path)
    artifact = parts.store.local_folder(bad) / "model.pt"
    artifact.chmod(0o644)
    artifact.write_bytes(b"changed")

    assert maintenance.check_store() == [str(bad)]  # type: ignore[call-arg]
    assert str(good) != str(bad)
    assert broken_versions() == 1


def test_only_old_staging_is_swept(parts: WorkerParts) -> None:
    parts.store.staging_dir.mkdir(parents=True, exist_ok=True)
    old, new = parts.store.staging_dir / "old", parts.store.staging_dir / "new"
    for folder in (old, new):
        folder.mkdir()
    long_ago = time.time() - 2 * maintenance.STALE_STAGING_S
    os.utime(old, (long_ago, long_ago))

    assert maintenance.sweep_staging() == 1  # type: ignore[call-arg]
    assert (old.exists(), new.exists()) == (False, True)


def test_removals_that_broke_off_are_finished_and_break_nothing(parts: WorkerParts, tmp_path: Path) -> None:
    for _ in range(2):
        parts.releases.release(make_draft(tmp_path), prove=accept, by="test")
    with parts.database.write() as session:
        RemovalRepository(session).delete(ModelRef("tiny", 2), datetime.now(UTC))

    assert maintenance.check_store() == []  # type: ignore[call-arg]
    assert parts.store.refs() == [ModelRef("tiny", 1)]


def test_what_was_counted_of_deleted_versions_is_forgotten(parts: WorkerParts, tmp_path: Path) -> None:
    runners = parts.settings.metrics_dir / "runners"
    parts.releases.release(make_draft(tmp_path, name="digits"), prove=accept, by="test")
    fold_dead_process(runners, leave_release(runners, 1))
    with parts.database.write() as session:
        RemovalRepository(session).delete(ModelRef("digits", 1), datetime.now(UTC))
    assert MetricsReader().samples([runners])
    maintenance.check_store()  # type: ignore[call-arg]

    assert MetricsReader().samples([runners]) == []


def test_uploads_of_no_job_are_swept(parts: WorkerParts) -> None:
    with parts.publishing.receiving("tiny") as (_, folder):
        (folder / "model.pt").write_bytes(b"weights")
    assert maintenance.sweep_staging() == 0  # type: ignore[call-arg]

    long_ago = time.time() - 2 * maintenance.STALE_STAGING_S
    os.utime(folder, (long_ago, long_ago))
    assert maintenance.sweep_staging() == 1  # type: ignore[call-arg]
    assert not folder.exists()


def test_lost_jobs_are_tried_again_while_the_broker_is_away(parts: WorkerParts) -> None:
    job = parts.jobs.create(JobDraft(kind=VERIFICATION, client_id="checkout", model_name="tiny"))
    assert maintenance.resend_jobs() == []  # type: ignore[call-arg]

    with parts.database.write() as session:
        JobRepository(session).change_waiting(job.id, lease_until=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(RedisUnavailable):
        maintenance.resend_jobs()  # type: ignore[call-arg]


def test_only_expired_revocations_are_forgotten(parts: WorkerParts) -> None:
    now = datetime.now(UTC)
    with parts.database.write() as session:
        clients = ClientRepository(session)
        clients.revoke("expired", "client", now=now, expires_at=now - timedelta(seconds=1))
        clients.revoke("standing", "client", now=now, expires_at=now + timedelta(hours=1))

    assert maintenance.purge_revocations() == 1  # type: ignore[call-arg]
    assert maintenance.purge_revocations() == 0  # type: ignore[call-arg]


def test_only_old_outcomes_of_earlier_revisions_are_purged(parts: WorkerParts) -> None:
    now = datetime.now(UTC)
    with parts.database.write() as session:
        OutcomeRepository(session).put(
            [
                make_outcome(unit="subject:old", recorded_at=now - timedelta(days=91)),
                make_outcome(unit="subject:new", recorded_at=now - timedelta(days=89)),
            ]
        )

    assert maintenance.purge_outcomes() == 1  # type: ignore[call-arg]
    assert maintenance.purge_outcomes() == 0  # type: ignore[call-arg]


def test_jobs_that_ended_long_ago_are_purged_and_orphans_swept(parts: WorkerParts, tmp_path: Path) -> None:
    orphan = tmp_path / "jobs" / new_job_id()
    orphan.mkdir(parents=True)
    os.utime(orphan, (1000.0, 1000.0))
    job = _ended_job(parts, days_ago=parts.settings.job_result_days + 1)

    assert maintenance.purge_jobs() == {"purged": 1, "swept": 1, "failed": 0}  # type: ignore[call-arg]
    assert not orphan.exists()
    assert REGISTRY.get_sample_value("galley_job_files_stuck") == 0
    assert parts.jobs.find(job.id).purged_at is not None


def _ended_job(parts: WorkerParts, *, days_ago: int) -> JobFacts:
    ended_at = datetime.now(UTC) - timedelta(days=days_ago)
    with parts.database.write() as session:
        job = make_job(state=JobState.SUCCEEDED, created_at=ended_at, finished_at=ended_at)
        JobRepository(session).add(job)
    return job
