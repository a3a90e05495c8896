"""What the catalogue and the calls that waited want."""

from dataclasses import replace
from typing import Any

import pytest

from app.services.catalog import Catalog, CatalogModel
from model_store.model_ref import ModelRef
from tests.factories.catalog import catalog_with, make_facts
from workers.controller.wishes import Wishes, read_wishes

ONE, TWO, THREE = (ModelRef("digits", number) for number in (1, 2, 3))


def catalog_of(version: int, **changes: Any) -> Catalog:
    """Return a catalogue in which alias default moved from 1 to `version`, which has `changes`."""
    versions = {1: make_facts(1), version: replace(make_facts(version), **changes)}
    model = CatalogModel(name="digits", aliases={"default": version}, versions=versions, previous={"default": 1})
    return {"digits": model}


def refs(wishes: Wishes) -> list[ModelRef]:
    return [version.ref for version in wishes.versions]


def test_named_versions_come_before_wanted_ones() -> None:
    wishes = read_wishes(catalog_with(1, 2, 3, default=3), {ONE: 5.0, THREE: 6.0, ModelRef("gone", 1): 7.0})

    assert refs(wishes) == [THREE, ONE]
    assert wishes.wanted_at[ONE] == 5.0


def test_unloaded_version_is_not_wished_for_and_may_not_run() -> None:
    wishes = read_wishes(catalog_of(2, is_unloaded=True), {TWO: 1.0})

    assert refs(wishes) == []
    assert (wishes.allows(ONE), wishes.allows(TWO), wishes.allows(THREE)) == (True, False, False)


@pytest.mark.parametrize(
    ("changes", "stand_ins"),
    [({}, {ONE: {TWO}}), ({"is_unloaded": True}, {}), ({"execution": "heavy"}, {})],
)
def test_version_an_alias_left_stands_in_for_the_one_it_moved_to(
    changes: dict[str, Any], stand_ins: dict[ModelRef, set[ModelRef]]
) -> None:
    assert read_wishes(catalog_of(2, **changes), {}).stand_ins == stand_ins


def test_alias_that_came_back_leaves_no_stand_in() -> None:
    assert read_wishes(catalog_of(1), {}).stand_ins == {}


@pytest.mark.parametrize("change", [{"instances": 2}, {"is_pinned": True}, {"digest": "f" * 64}])
def test_each_change_is_seen(change: dict[str, Any]) -> None:
    before, after = read_wishes(catalog_of(2), {}), read_wishes(catalog_of(2, **change), {})

    assert before.is_same(read_wishes(catalog_of(2), {}))
    assert not after.is_same(before)
    assert not after.is_same(None)


def test_new_wish_for_the_same_version_is_a_change() -> None:
    assert not read_wishes(catalog_of(2), {TWO: 2.0}).is_same(read_wishes(catalog_of(2), {TWO: 1.0}))
