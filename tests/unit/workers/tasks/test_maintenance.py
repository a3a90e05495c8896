"""What upkeep does to a real store and database."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from app.db.repositories.clients import ClientRepository
from app.db.repositories.outcomes import OutcomeRepository
from tests.factories.database import make_database
from tests.factories.outcomes import make_outcome
from tests.factories.settings import make_settings
from tests.factories.versions import publish_bytes
from workers.bootstrap import WorkerParts, assemble
from workers.tasks import maintenance


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[WorkerParts]:
    make_database(tmp_path).close()
    parts = assemble(make_settings(tmp_path))
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
