"""A release is in the store, in SQL, and announced; the first of a name answers by default."""

import logging
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from app.db.session import Database
from app.errors import (
    DatabaseUnavailable,
    DigestMismatch,
    InvalidName,
    MissingFile,
    ModelNotFound,
    RedisUnavailable,
    SampleMismatch,
    VersionExists,
    VersionNotFound,
)
from app.services.aliases import AliasMove, AliasService
from app.services.catalog import DesiredVersion, desired_versions
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from model_store.manifest import Caching, StateSpec
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.versions import accept, make_draft, make_manifest, make_store, publish_bytes
from tests.fakes.directory import FakeDirectory


class Announcements:
    """Counts how often the catalog was said to have changed."""

    def __init__(self) -> None:
        self.count = 0
        self.is_redis_away = False

    def __call__(self) -> None:
        if self.is_redis_away:
            raise RedisUnavailable("Redis does not answer; try again shortly.")
        self.count += 1


class Bench:
    """A release service on a store and a database of its own."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        self.store: ModelStore = make_store(folder)
        self.announced = Announcements()
        self.releases = ReleaseService(database, self.store, notify=self.announced)
        self.aliases_of = AliasService(database, notify=self.announced)
        self.residency = ResidencyService(database, FakeDirectory(), notify=self.announced)

    def release(self, *, alias: str | None = None, pin: bool = False, **changes: Any) -> ModelRef:
        """Release a draft of arbitrary bytes."""
        draft = make_draft(self.folder, **changes)
        return self.releases.release(draft, prove=accept, by="test", alias=alias, pin=pin)

    def aliases(self, name: str = "tiny") -> dict[str, int]:
        """Return the aliases of a model."""
        return self.releases.catalog()[name].aliases

    def point(self, alias: str, version: int) -> None:
        """Point an alias at a version."""
        self.aliases_of.set("tiny", alias, AliasMove(version=str(version), by="test"))

    def desired(self) -> list[str]:
        """Return what should have a runner."""
        return [str(version.ref) for version in desired_versions(self.releases.catalog())]


@pytest.fixture
def bench(database: Database, tmp_path: Path) -> Bench:
    return Bench(database, tmp_path)


def test_a_release_is_in_store_and_catalog(bench: Bench) -> None:
    ref = bench.release(artifact=b"weights", samples=b"{}")
    facts = bench.releases.catalog()["tiny"].versions[1]

    assert bench.store.refs() == [ref] == [facts.ref]
    assert (facts.digest, facts.task, facts.created_by) == (bench.store.digest(ref), "image-classification", "test")
    assert facts.size_bytes == len(b"weights") + len(b"{}")
    assert bench.announced.count == 1


def test_only_the_first_version_takes_default(bench: Bench) -> None:
    bench.release()
    bench.release()
    bench.release(alias="candidate")

    assert bench.aliases() == {"default": 1, "candidate": 3}


def test_a_first_release_may_take_another_alias_too(bench: Bench) -> None:
    bench.release(alias="stable")

    assert bench.aliases() == {"default": 1, "stable": 1}


def test_a_refused_draft_changes_nothing(bench: Bench) -> None:
    def refuse(_folder: Path) -> None:
        raise SampleMismatch("the proof failed")

    with pytest.raises(SampleMismatch):
        bench.releases.release(make_draft(bench.folder), prove=refuse, by="test")

    assert (bench.store.refs(), bench.releases.catalog(), bench.announced.count) == ([], {}, 0)


def test_a_bad_alias_is_refused_before_anything_is_published(bench: Bench) -> None:
    with pytest.raises(InvalidName):
        bench.release(alias="../1")

    assert bench.store.refs() == []


def test_a_taken_version_is_refused(bench: Bench) -> None:
    bench.release(version=1)

    with pytest.raises(VersionExists):
        bench.release(version=1)


def test_a_release_stands_when_redis_is_away(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.announced.is_redis_away = True

    with caplog.at_level(logging.WARNING):
        ref = bench.release()

    assert bench.releases.find("tiny").ref == ref
    assert "Redis does not answer" in caplog.text


def test_nothing_is_published_while_sql_is_away(bench: Bench, database: Database) -> None:
    with (
        mock.patch.object(database, "read", side_effect=DatabaseUnavailable("The database does not answer.")),
        pytest.raises(DatabaseUnavailable),
    ):
        bench.release()

    assert bench.store.refs() == []


def test_a_release_that_sql_missed_is_adopted(bench: Bench, database: Database) -> None:
    with (
        mock.patch.object(database, "write", side_effect=DatabaseUnavailable("The database does not answer.")),
        pytest.raises(DatabaseUnavailable),
    ):
        bench.release()
    assert bench.releases.catalog() == {}

    assert bench.releases.adopt_store() == [ModelRef("tiny", 1)]
    assert bench.releases.find("tiny").ref == ModelRef("tiny", 1)


def test_adopting_gives_default_to_the_lowest_version(bench: Bench) -> None:
    for version in (3, 2):
        publish_bytes(bench.store, bench.folder, version=version)
    bench.releases.adopt_store()

    assert bench.aliases() == {"default": 2}
    assert bench.announced.count == 1


def test_adopting_leaves_alone_what_is_known(bench: Bench) -> None:
    bench.release(pin=True)
    before = bench.releases.catalog()

    assert bench.releases.adopt_store() == []
    assert bench.releases.catalog() == before
    assert bench.announced.count == 1


def test_desired_is_what_is_named_or_pinned(bench: Bench) -> None:
    for _ in range(4):
        bench.release()
    bench.point("candidate", 2)
    bench.residency.pin(ModelRef("tiny", 4), by="test")

    assert bench.desired() == ["tiny/1", "tiny/2", "tiny/4"]
    assert bench.announced.count == 6


def test_desired_says_which_digest(bench: Bench) -> None:
    ref = bench.release()

    assert desired_versions(bench.releases.catalog()) == [DesiredVersion(ref=ref, digest=bench.store.digest(ref))]


def test_what_is_let_go_is_not_desired(bench: Bench) -> None:
    bench.release()
    bench.release(pin=True, alias="candidate")
    bench.residency.unpin(ModelRef("tiny", 2), by="test")
    bench.point("candidate", 1)

    assert bench.desired() == ["tiny/1"]


def test_heavy_models_have_no_runner(bench: Bench) -> None:
    bench.release(manifest=make_manifest(execution="heavy"), pin=True)

    assert bench.desired() == []


@pytest.mark.parametrize(("version", "found"), [(None, 1), ("default", 1), ("2", 2), ("candidate", 2)])
def test_a_version_is_found_by_number_alias_or_nothing(bench: Bench, version: str | None, found: int) -> None:
    bench.release()
    bench.release(alias="candidate")

    assert bench.releases.find("tiny", version).ref.version == found


@pytest.mark.parametrize("version", ["3", "02", "-1", "latest", "../1", "9" * 5000, "２"])
def test_other_versions_are_not_found(bench: Bench, version: str) -> None:
    bench.release()
    bench.release()

    with pytest.raises(VersionNotFound):
        bench.releases.find("tiny", version)


def test_an_unknown_model_is_not_found(bench: Bench) -> None:
    with pytest.raises(ModelNotFound):
        bench.releases.find("tiny")


def test_an_untouched_release_verifies(bench: Bench) -> None:
    bench.release()

    bench.releases.verify(bench.releases.find("tiny"))


@pytest.mark.parametrize(
    ("file", "error"), [("manifest.json", DigestMismatch), ("model.pt", DigestMismatch), ("gone", MissingFile)]
)
def test_a_touched_release_does_not_verify(bench: Bench, file: str, error: type[Exception]) -> None:
    folder = bench.store.local_folder(bench.release())
    if file == "gone":
        (folder / "model.pt").unlink()
    else:
        (folder / file).chmod(0o644)
        (folder / file).write_bytes((folder / file).read_bytes() + b" ")

    with pytest.raises(error):
        bench.releases.verify(bench.releases.find("tiny"))


def test_the_manifest_comes_from_the_store(bench: Bench) -> None:
    ref = bench.release()

    assert bench.releases.manifest(ref) == bench.store.manifest(ref)


@pytest.mark.parametrize(
    ("changes", "is_cached", "is_per_client"),
    [
        ({}, True, False),
        ({"cache": Caching(enabled=False)}, False, False),
        ({"cache": Caching(per_client=True)}, True, True),
        ({"state": [StateSpec(input="image", output="scores", shape=[3])]}, True, False),
    ],
)
def test_the_manifest_says_whether_answers_are_kept(
    bench: Bench, changes: dict[str, Any], is_cached: bool, is_per_client: bool
) -> None:
    bench.release(manifest=make_manifest(**changes))
    facts = bench.releases.find("tiny")

    assert (facts.is_cached, facts.is_cached_per_client) == (is_cached, is_per_client)
