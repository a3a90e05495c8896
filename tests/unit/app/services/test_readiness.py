"""Ready means: every part says so."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.db.migrate import upgrade
from app.db.session import Database
from app.errors import DatabaseUnavailable
from app.inference.directory import EMPTY_DIRECTORY, DirectorySnapshot, HeldBack
from app.inference.messages import RunnerState
from app.services.catalog import Catalog, CatalogModel
from app.services.readiness import READY, PartState, ReadinessService, database_check, directory_check, models_check
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with, make_facts
from tests.fakes.inference import make_record


def directory(*versions: int, state: RunnerState = RunnerState.READY, age_s: float = 0.0) -> DirectorySnapshot:
    records = [make_record(ModelRef("digits", version), state=state) for version in versions]
    return DirectorySnapshot(published_at=time.time() - age_s, controller_pid=1, runners=records)


def nobody() -> int:
    """Return how many slots there are for heavy models where no worker is."""
    return 0


def test_each_part_is_asked() -> None:
    def away() -> PartState:
        raise DatabaseUnavailable("Away.")

    parts = ReadinessService({"good": lambda: READY, "bad": lambda: PartState(False, "Broken."), "away": away}).parts()

    assert parts == {"good": PartState(True), "bad": PartState(False, "Broken."), "away": PartState(False, "Away.")}


def test_database_must_be_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/galley.db"
    database = Database(url)
    check = database_check(database)

    before = check()
    upgrade(url)
    after = check()
    database.close()

    assert not before.is_ready
    assert "not migrated" in before.reason
    assert after == READY


@pytest.mark.parametrize(("age_s", "reason"), [(0.0, ""), (8.0, ""), (11.0, "The directory of runners is 11 s old.")])
def test_old_directory_serves_and_says_so(age_s: float, reason: str) -> None:
    snapshot = directory(age_s=age_s)

    assert directory_check(lambda: snapshot, heartbeat_s=1.0)() == PartState(True, reason)


def test_directory_must_have_been_published() -> None:
    part = directory_check(lambda: EMPTY_DIRECTORY, heartbeat_s=1.0)()

    assert not part.is_ready
    assert "not published" in part.reason


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (directory(1), ""),
        (directory(2), "No runner is ready for digits/1."),
        (directory(1, state=RunnerState.LOADING), "No runner is ready for digits/1."),
        (directory(), "No runner is ready for digits/1."),
    ],
)
def test_default_version_must_run(snapshot: DirectorySnapshot, reason: str) -> None:
    check = models_check(lambda: catalog_with(1, 2, default=1), lambda: snapshot, heavy_slots=nobody)

    assert check() == PartState(not reason, reason)


def test_pinned_versions_must_run_too() -> None:
    pinned = {number: replace(make_facts(number), is_pinned=True) for number in (2, 3)}
    catalog = {"digits": CatalogModel(name="digits", aliases={}, versions={1: make_facts(1), **pinned})}

    assert (
        models_check(lambda: catalog, directory, heavy_slots=nobody)().reason
        == "No runner is ready for digits/2, digits/3."
    )


def test_version_without_memory_is_no_reason_to_leave_the_load_balancer() -> None:
    held_back = [HeldBack(name="digits", version=1, reason="No memory.")]
    snapshot = DirectorySnapshot(published_at=time.time(), controller_pid=1, held_back=held_back)
    check = models_check(lambda: catalog_with(1, default=1), lambda: snapshot, heavy_slots=nobody)

    assert check() == PartState(True, "Held back: digits/1.")


def test_unloaded_version_is_no_reason_either() -> None:
    unloaded = replace(make_facts(1), is_unloaded=True)
    catalog: Catalog = {"digits": CatalogModel(name="digits", aliases={"default": 1}, versions={1: unloaded})}

    assert models_check(lambda: catalog, directory, heavy_slots=nobody)() == PartState(True, "Held back: digits/1.")


def test_versions_that_celery_runs_need_no_runner() -> None:
    heavy = replace(make_facts(1), execution="heavy", is_pinned=True)
    catalog: Catalog = {"digits": CatalogModel(name="digits", aliases={"default": 1}, versions={1: heavy})}

    assert models_check(lambda: catalog, directory, heavy_slots=lambda: 2)() == READY
    alone = models_check(lambda: catalog, directory, heavy_slots=nobody)()
    assert alone == PartState(True, "No Celery worker runs digits/1.")
