"""Load, unload, pins and instances: what SQL says then, what the audit log says, what the caller hears."""

import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from app.db.migrate import upgrade
from app.db.repositories.models import VersionFacts
from app.db.session import Database
from app.errors import HeavyModel, LoadFailed, ModelLoading, VersionNotFound
from app.inference.directory import HeldBack, RunnerRecord
from app.inference.messages import RunnerState
from app.services.audit import AuditLog
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from model_store.model_ref import ModelRef
from tests.factories.versions import accept, make_draft, make_manifest, make_store
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import make_record

REF = ModelRef("tiny", 1)
FAILED = make_record(REF, state=RunnerState.FAILED, reason="The hash differs.")


class Bench:
    """The service on a database of its own, with one released version."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder}/galley.db"
        upgrade(url)
        self.folder = folder
        self.database = Database(url)
        self.directory = FakeDirectory()
        self.notify = mock.Mock()
        self.releases = ReleaseService(self.database, make_store(folder))
        self.service = ResidencyService(self.database, self.directory, notify=self.notify)
        self.release()

    def release(self, execution: str = "online") -> ModelRef:
        draft = make_draft(self.folder, manifest=make_manifest(execution=execution))
        return self.releases.release(draft, prove=accept, by="test")

    def load(self, *brought: RunnerRecord, ref: ModelRef = REF) -> None:
        """Load a version; waiting for it brings these runners."""
        self.directory.waiting_brings = list(brought)
        self.service.load(ref, by="ops", deadline=time.monotonic() + 1.0)

    @property
    def facts(self) -> VersionFacts:
        return self.facts_of(REF)

    def facts_of(self, ref: ModelRef) -> VersionFacts:
        return self.releases.find(ref.name, str(ref.version))

    @property
    def audited(self) -> list[tuple[str, str, dict[str, object]]]:
        entries = reversed(AuditLog(self.database).entries())
        return [(entry.action, entry.actor, entry.details) for entry in entries if entry.actor != "test"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.database.close()


def test_unloaded_version_is_loaded_again(bench: Bench) -> None:
    bench.service.unload(REF, by="ops")
    assert bench.facts.is_unloaded

    bench.load(make_record(REF))

    assert not bench.facts.is_unloaded
    assert bench.directory.wanted == [REF]
    assert bench.audited == [("version.unload", "ops", {}), ("version.load", "ops", {})]
    assert bench.notify.call_count == 2


def test_version_that_cannot_load_stays_unloaded_and_says_why(bench: Bench) -> None:
    bench.service.unload(REF, by="ops")

    with pytest.raises(LoadFailed, match="The hash differs"):
        bench.load(FAILED)

    assert bench.facts.is_unloaded
    assert bench.audited[-1] == ("version.unload", "ops", {"reason": "The hash differs."})


def test_version_that_was_not_unloaded_is_tried_again_after_a_failure(bench: Bench) -> None:
    with pytest.raises(LoadFailed):
        bench.load(FAILED)

    assert not bench.facts.is_unloaded


def test_version_not_ready_in_time_says_when_to_ask_again(bench: Bench) -> None:
    with pytest.raises(ModelLoading) as caught:
        bench.load(make_record(REF, state=RunnerState.LOADING, started_at=time.time()))

    assert caught.value.retry_after_s > 0
    assert not bench.facts.is_unloaded


def test_version_without_memory_says_so(bench: Bench) -> None:
    bench.directory.show(held_back=[HeldBack(name="tiny", version=1, reason="No memory.")])

    with pytest.raises(ModelLoading, match="No memory"):
        bench.service.load(REF, by="ops", deadline=time.monotonic())


def test_heavy_version_has_no_runners_to_load(bench: Bench) -> None:
    heavy = bench.release("heavy")

    with pytest.raises(HeavyModel):
        bench.service.set_instances(heavy, 2, by="ops")

    assert bench.audited == []


def test_heavy_version_that_was_unloaded_answers_again_once_it_is_loaded(bench: Bench) -> None:
    heavy = bench.release("heavy")
    bench.service.unload(heavy, by="ops")
    assert bench.facts_of(heavy).is_unloaded

    bench.load(ref=heavy)

    assert not bench.facts_of(heavy).is_unloaded
    assert [action for action, _, _ in bench.audited] == ["version.unload", "version.load"]


def test_pin_and_unpin(bench: Bench) -> None:
    bench.service.pin(REF, by="ops")
    assert bench.facts.is_pinned

    bench.service.unpin(REF, by="ops")

    assert not bench.facts.is_pinned
    assert [action for action, _, _ in bench.audited] == ["version.pin", "version.unpin"]


def test_instances(bench: Bench) -> None:
    bench.service.set_instances(REF, 3, by="ops")

    assert bench.facts.instances == 3
    assert bench.audited == [("version.set_instances", "ops", {"instances": 3})]


@pytest.mark.parametrize("verb", ["unload", "pin", "unpin"])
def test_unknown_version_changes_nothing(bench: Bench, verb: str) -> None:
    with pytest.raises(VersionNotFound):
        getattr(bench.service, verb)(ModelRef("tiny", 9), by="ops")

    assert bench.audited == []
    bench.notify.assert_not_called()
