"""A route chooses by override of the subject, then of the client, then by bucket."""

from app.services.allocation import BUCKETS
from app.services.route_table import RouteTable, Why
from tests.factories.routes import make_route

SUBJECTS = [f"user-{number}" for number in range(5000)]


def test_subjects_get_variants_by_weight_and_keep_them() -> None:
    table = RouteTable(make_route({"control": 1, "new": "next"}, weights={"control": 3, "new": 1}))
    chosen = [table.choose(subject, "") for subject in SUBJECTS]

    assert chosen == [table.choose(subject, "somebody") for subject in SUBJECTS]
    assert {(choice.variant, choice.version, choice.why) for choice in chosen} == {
        ("control", "1", Why.BUCKET),
        ("new", "next", Why.BUCKET),
    }
    share = sum(choice.variant == "new" for choice in chosen) / len(SUBJECTS)
    assert abs(share - 0.25) < 0.04


def test_an_override_of_a_subject_beats_one_of_its_client() -> None:
    overrides = [{"client": "checkout", "variant": "a"}, {"subject": "vip", "variant": "b"}]
    table = RouteTable(make_route({"a": 1, "b": 2, "c": 3}, weights={"a": 0, "b": 0, "c": 1}, overrides=overrides))

    assert (table.choose("vip", "checkout").variant, table.choose("vip", "checkout").why) == ("b", Why.SUBJECT)
    assert (table.choose("user-1", "checkout").variant, table.choose("user-1", "checkout").why) == ("a", Why.CLIENT)
    assert table.choose("checkout", "other").variant == "c"


def test_shares_count_buckets_and_name_every_variant() -> None:
    table = RouteTable(make_route({"a": 1, "b": 2, "c": 3}, weights={"a": 1, "b": 0, "c": 3}))

    assert table.shares() == {"a": 0.25, "b": 0.0, "c": 0.75}
    assert 0 <= table.bucket("user-1") < BUCKETS
