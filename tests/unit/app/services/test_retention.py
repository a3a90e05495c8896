"""What is deleted is gone for good; what something names stays."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import pytest

from app.db.repositories.removals import RemovalRepository
from app.db.session import Database
from app.errors import ModelNotFound, StoreUnreachable, VersionInUse, VersionNotFound
from app.services.aliases import AliasMove, AliasService
from app.services.audit import AuditFilter, AuditLog
from app.services.batch_jobs import BatchJobs
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from app.services.retention import RetentionService
from model_store.model_ref import ModelRef
from tests.factories.database import make_database
from tests.factories.versions import accept, make_draft, make_store
from tests.fakes.directory import FakeDirectory
from tests.unit.app.services.job_drafts import Sent, submission

DEFAULT_STAYS = "the alias 'default' points at it"


class Bench:
    """A store with its services, and a count of what was announced."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        self.database = database
        self.announced = 0
        self.store = make_store(folder)
        self.releases = ReleaseService(database, self.store)
        self.aliases = AliasService(database)
        self.retention = RetentionService(database, self.store, notify=self._count)

    def release(self, count: int = 1) -> None:
        """Release versions of `tiny`."""
        for _ in range(count):
            self.releases.release(make_draft(self.folder), prove=accept, by="test")

    def pin(self, version: int) -> None:
        """Pin a version of `tiny`."""
        ResidencyService(self.database, FakeDirectory()).pin(tiny(version), by="test")

    def known(self) -> list[int]:
        """Return the versions that SQL lists."""
        return sorted(self.releases.catalog()["tiny"].versions)

    def stored(self) -> list[int]:
        """Return the versions that lie in the store."""
        return [ref.version for ref in self.store.refs()]

    def _count(self) -> None:
        self.announced += 1


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    database = make_database(tmp_path)
    yield Bench(database, tmp_path)
    database.close()


def tiny(version: int) -> ModelRef:
    return ModelRef("tiny", version)


def test_deleted_version_is_gone_from_sql_and_store(bench: Bench) -> None:
    bench.release(2)
    bench.retention.delete(tiny(2), by="checkout")

    assert (bench.known(), bench.stored(), bench.announced) == ([1], [1], 1)
    (entry,) = AuditLog(bench.database).entries(AuditFilter(action="version.delete"))
    assert (entry.actor, entry.target) == ("checkout", "tiny/versions/2")


def test_deleted_version_is_not_adopted_from_the_store(bench: Bench) -> None:
    bench.release(2)
    store_away = mock.patch("app.services.retention.remove", side_effect=StoreUnreachable("away"))
    with store_away, pytest.raises(StoreUnreachable):
        bench.retention.delete(tiny(2), by="test")

    assert bench.stored() == [1, 2]
    assert bench.releases.adopt_store() == []
    assert bench.known() == [1]


def test_removal_that_failed_is_finished_later(bench: Bench) -> None:
    bench.release(2)
    with bench.database.write() as session:
        RemovalRepository(session).delete(tiny(2), datetime.now(UTC))

    assert bench.retention.finish() == [tiny(2)]
    assert bench.retention.finish() == []
    assert bench.stored() == [1]


def test_what_is_named_is_not_deleted(bench: Bench) -> None:
    bench.release(2)
    bench.pin(2)

    for version, use in ((1, DEFAULT_STAYS), (2, "it is pinned")):
        with pytest.raises(VersionInUse, match=use):
            bench.retention.delete(tiny(version), by="test")
    assert (bench.known(), bench.stored(), bench.announced) == ([1, 2], [1, 2], 0)


def test_what_an_open_job_needs_is_neither_deleted_nor_pruned(bench: Bench) -> None:
    bench.release(3)
    jobs = BatchJobs(bench.database, Sent(), most_open=10)
    job, _ = jobs.submit(submission(model_name="tiny", version=2))
    needed = f"the job {job.id} needs it"

    with pytest.raises(VersionInUse, match=needed):
        bench.retention.delete(tiny(2), by="checkout")
    assert bench.retention.plan("tiny", keep=1).stays[2] == [needed]
    assert bench.retention.prune("tiny", keep=1, by="test").goes == ()

    jobs.cancel(job.id)
    assert bench.retention.prune("tiny", keep=1, by="test").goes == (2,)


def test_what_is_not_there_is_not_deleted(bench: Bench) -> None:
    bench.release(2)
    bench.retention.delete(tiny(2), by="test")

    for version in (2, 3):
        with pytest.raises(VersionNotFound):
            bench.retention.delete(tiny(version), by="test")
    with pytest.raises(ModelNotFound):
        bench.retention.delete(ModelRef("unheard-of", 1), by="test")


def test_version_that_an_alias_left_can_be_deleted(bench: Bench) -> None:
    bench.release(2)
    bench.aliases.set("tiny", "default", AliasMove(version="2", by="test"))

    bench.retention.delete(tiny(1), by="test")

    assert bench.releases.catalog()["tiny"].previous == {}


def test_plan_says_what_goes_and_why_the_others_stay(bench: Bench) -> None:
    bench.release(6)
    bench.pin(3)
    bench.aliases.set("tiny", "stable", AliasMove(version="2", by="test"))
    bench.aliases.set("tiny", "stable", AliasMove(version="5", by="test"))

    plan = bench.retention.plan("tiny", keep=2)

    assert plan.goes == (4,)
    assert plan.stays == {
        1: [DEFAULT_STAYS],
        2: ["the alias 'stable' pointed at it before"],
        3: ["it is pinned"],
        5: ["the alias 'stable' points at it", "it is one of the newest 2"],
        6: ["it is one of the newest 2"],
    }
    assert bench.known() == [1, 2, 3, 4, 5, 6]


def test_prune_does_what_the_plan_says(bench: Bench) -> None:
    bench.release(5)
    plan = bench.retention.plan("tiny", keep=1)

    assert bench.retention.prune("tiny", keep=1, by="test") == plan
    assert (bench.known(), bench.stored(), bench.announced) == ([1, 5], [1, 5], 1)
    assert bench.retention.prune("tiny", keep=1, by="test").goes == ()
    assert bench.announced == 1


def test_next_version_skips_deleted_numbers(bench: Bench) -> None:
    bench.release(3)
    bench.retention.delete(tiny(3), by="test")
    bench.release()

    assert bench.known() == [1, 2, 4]
