"""An alias that moved leads to the version before until the new one was READY, and never back."""

from dataclasses import replace

import pytest

from app.services.catalog import CatalogModel
from app.services.readied_aliases import ReadiedAliases, Readiness
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with


class Runners:
    """Which versions have a READY runner, and which were asked for."""

    def __init__(self, *ready: int) -> None:
        self.ready = set(ready)
        self.wanted: list[int] = []

    def aliases(self) -> ReadiedAliases:
        """Return aliases that ask these runners."""
        return ReadiedAliases(
            Readiness(is_ready=lambda ref: ref.version in self.ready, want=lambda ref: self.wanted.append(ref.version))
        )


def pointing(version: int, *, before: int | None = None) -> CatalogModel:
    previous = {} if before is None else {"default": before}
    return replace(catalog_with(1, 2, 3, default=version)["digits"], previous=previous)


def test_the_version_before_answers_until_the_new_one_is_ready() -> None:
    runners = Runners(1)
    aliases = runners.aliases()
    moved = pointing(2, before=1)

    assert aliases.answering(moved, "default").ref == ModelRef("digits", 1)
    runners.ready.add(2)
    assert aliases.answering(moved, "default").ref == ModelRef("digits", 2)
    runners.ready.remove(2)
    assert aliases.answering(moved, "default").ref == ModelRef("digits", 2)


def test_the_version_that_answered_last_goes_on_through_two_moves() -> None:
    runners = Runners(1)
    aliases = runners.aliases()
    aliases.answering(pointing(1), "default")

    assert aliases.answering(pointing(2, before=1), "default").ref.version == 1
    assert aliases.answering(pointing(3, before=2), "default").ref.version == 1


def test_going_back_to_a_version_that_still_runs_is_instant() -> None:
    runners = Runners(1, 2)
    aliases = runners.aliases()

    assert [aliases.answering(pointing(version), "default").ref.version for version in (1, 2, 1)] == [1, 2, 1]


@pytest.mark.parametrize("before", [None, 3])
def test_where_nothing_runs_the_new_version_is_waited_for(before: int | None) -> None:
    assert Runners().aliases().answering(pointing(2, before=before), "default").ref.version == 2


def test_a_version_before_that_was_deleted_or_unloaded_does_not_answer() -> None:
    deleted, unloaded = pointing(2, before=9), pointing(2, before=1)
    unloaded.versions[1] = replace(unloaded.versions[1], is_unloaded=True)

    assert Runners(9).aliases().answering(deleted, "default").ref.version == 2
    assert Runners(1).aliases().answering(unloaded, "default").ref.version == 2


@pytest.mark.parametrize("change", [{"is_unloaded": True}, {"execution": "heavy"}])
def test_nobody_waits_for_a_version_that_gets_no_runner(change: dict[str, object]) -> None:
    model = pointing(2, before=1)
    model.versions[2] = replace(model.versions[2], **change)  # type: ignore[arg-type]

    assert Runners(1).aliases().answering(model, "default").ref.version == 2


def test_a_version_that_another_answers_for_is_asked_for_once_per_round() -> None:
    runners = Runners(1)
    aliases = runners.aliases()
    for _ in range(3):
        aliases.answering(pointing(2, before=1), "default")

    aliases.want_awaited()
    aliases.want_awaited()
    assert runners.wanted == [2]


def test_without_readiness_every_alias_leads_where_it_points() -> None:
    aliases = ReadiedAliases(Readiness())

    assert aliases.answering(pointing(2, before=1), "default").ref.version == 2
    aliases.want_awaited()
