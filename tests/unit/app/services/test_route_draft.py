"""A route that cannot work is refused, naming the field."""

import math
from typing import Any

import pytest

from app.errors import InvalidFields, InvalidWeights
from app.services.route_draft import Override, RouteDraft, Variant
from tests.factories.catalog import catalog_with


def variants(*weights: float) -> list[Variant]:
    return [Variant(name=f"v{number}", version=1, weight=weight) for number, weight in enumerate(weights)]


def refused(**fields: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidFields) as refusal:
        RouteDraft(**{"variants": variants(1, 1), **fields})
    return refusal.value.errors


def test_a_route_is_kept_as_it_was_sent() -> None:
    overrides = [Override(variant="v0", client="checkout"), Override(variant="v1", subject="Zoë")]
    draft = RouteDraft(variants=variants(1, 0), overrides=overrides, salt="s")

    assert draft.weights == {"v0": 1, "v1": 0}
    assert draft.document("s") == {
        "variants": [{"name": "v0", "version": 1, "weight": 1}, {"name": "v1", "version": 1, "weight": 0}],
        "sticky_by": "subject",
        "salt": "s",
        "overrides": [{"client": "checkout", "variant": "v0"}, {"subject": "Zoë", "variant": "v1"}],
    }


@pytest.mark.parametrize(
    ("weights", "field"),
    [
        ((0, 0), "variants"),
        ((0.0, -0.0), "variants"),
        ((1, -1), "variants.1.weight"),
        ((math.nan, 1), "variants.0.weight"),
        ((1, math.inf), "variants.1.weight"),
        ((1, 1e10), "variants.1.weight"),
        ((1e-9, 1), "variants.0.weight"),
        ((5e-324, 1e9), "variants.0.weight"),
    ],
)
def test_weights_that_divide_nothing_are_refused(weights: tuple[float, ...], field: str) -> None:
    with pytest.raises(InvalidWeights) as refusal:
        RouteDraft(variants=variants(*weights))

    assert list(refusal.value.errors) == [field]


@pytest.mark.parametrize("count", [0, 33, 10_000])
def test_a_route_has_one_to_32_variants(count: int) -> None:
    assert "variants" in refused(variants=variants(*[1] * count))


@pytest.mark.parametrize("name", ["", "-a", "a b", "ä", "a\n", "x" * 65, "a/b"])
def test_a_variant_is_called_what_a_header_can_hold(name: str) -> None:
    assert "variants.0.name" in refused(variants=[Variant(name=name, version=1, weight=1)])


def test_two_variants_have_two_names() -> None:
    twice = [Variant(name="a", version=1, weight=1), Variant(name="a", version=2, weight=1)]

    assert set(refused(variants=twice)) == {"variants.0.name", "variants.1.name"}


@pytest.mark.parametrize("salt", ["", "x" * 65, "a\0b"])
def test_a_salt_is_short_and_printable(salt: str) -> None:
    assert list(refused(salt=salt)) == ["salt"]


@pytest.mark.parametrize(
    ("override", "field"),
    [
        (Override(variant="gone", client="c"), "overrides.1.variant"),
        (Override(variant="v0"), "overrides.1"),
        (Override(variant="v0", client="c", subject="s"), "overrides.1"),
        (Override(variant="v0", client=""), "overrides.1.client"),
        (Override(variant="v0", subject="x" * 129), "overrides.1.subject"),
    ],
)
def test_an_override_gives_one_caller_a_variant_there_is(override: Override, field: str) -> None:
    assert list(refused(overrides=[Override(variant="v0", subject="good"), override])) == [field]


def test_overrides_do_not_contradict_each_other_and_are_not_too_many() -> None:
    twice = [Override(variant="v0", client="c"), Override(variant="v1", client="c")]
    many = [Override(variant="v0", subject=str(number)) for number in range(1001)]

    assert set(refused(overrides=twice)) == {"overrides.0.client", "overrides.1.client"}
    assert list(refused(overrides=many)) == ["overrides"]


def test_variants_lead_to_versions_and_aliases_there_are() -> None:
    model = catalog_with(1, 2, default=1)["digits"]
    good = [Variant(name="a", version=2, weight=1), Variant(name="b", version="default", weight=1)]
    bad = [*good, Variant(name="c", version=9, weight=1), Variant(name="d", version="gone", weight=1)]

    RouteDraft(variants=good).check_versions(model)
    with pytest.raises(InvalidFields) as refusal:
        RouteDraft(variants=bad).check_versions(model)
    assert list(refusal.value.errors) == ["variants.2.version", "variants.3.version"]
