"""Routes change as a whole, move as few callers as they must, and never give a revision twice."""

from pathlib import Path

import pytest

from app.db.session import Database
from app.errors import InvalidFields, ModelNotFound, RouteNotFound, VersionNotFound
from app.services.audit import AuditLog
from app.services.catalog import desired_versions
from app.services.releases import ReleaseService
from app.services.route_draft import Override, RouteDraft, Variant
from app.services.route_table import RouteTable, Why
from app.services.routes import RouteService
from tests.factories.versions import make_store

SUBJECTS = [f"user-{number}" for number in range(3000)]

pytestmark = pytest.mark.usefixtures("two_versions")


@pytest.fixture
def routes(database: Database, announced: list[None]) -> RouteService:
    return RouteService(database, notify=lambda: announced.append(None))


def draft(
    control: float, candidate: float, *, salt: str | None = None, overrides: tuple[Override, ...] = ()
) -> RouteDraft:
    variants = [
        Variant(name="control", version="default", weight=control),
        Variant(name="candidate", version=2, weight=candidate),
    ]
    return RouteDraft(variants=variants, salt=salt, overrides=overrides)


def chosen(routes: RouteService) -> list[str]:
    table = RouteTable(routes.get("tiny"))
    return [table.choose(subject, "").variant for subject in SUBJECTS]


def test_a_route_is_put_and_read(routes: RouteService, announced: list[None]) -> None:
    facts = routes.put("tiny", draft(9, 1), by="bot")

    assert routes.get("tiny") == facts
    assert (facts.revision, facts.updated_by, len(facts.document["salt"])) == (1, "bot", 16)
    assert facts.buckets == [["control", 9000], ["candidate", 1000]]
    assert len(announced) == 1


def test_new_weights_keep_the_salt_and_move_only_what_must(routes: RouteService, database: Database) -> None:
    salt = routes.put("tiny", draft(9, 1), by="bot").document["salt"]
    before = chosen(routes)
    facts = routes.put("tiny", draft(8, 2), by="bot")

    assert (facts.document["salt"], facts.revision) == (salt, 2)
    assert {(old, new) for old, new in zip(before, chosen(routes), strict=True) if old != new} == {
        ("control", "candidate")
    }
    (entry,) = AuditLog(database).entries(limit=1)
    assert (entry.action, entry.target, entry.details["moved_buckets"]) == ("route.set", "tiny/route", 1000)
    assert entry.details["before"]["variants"][0]["weight"] == 9


def test_another_salt_deals_all_anew(routes: RouteService) -> None:
    routes.put("tiny", draft(1, 1, salt="one"), by="bot")
    before = chosen(routes)
    routes.put("tiny", draft(1, 1, salt="two"), by="bot")

    same = sum(old == new for old, new in zip(before, chosen(routes), strict=True)) / len(SUBJECTS)
    assert 0.4 < same < 0.6


def test_the_same_route_again_changes_nothing(routes: RouteService, announced: list[None]) -> None:
    first = routes.put("tiny", draft(9, 1), by="bot")

    assert routes.put("tiny", draft(9, 1), by="other") == first
    assert routes.put("tiny", draft(9, 1, salt=first.document["salt"]), by="other") == first
    assert len(announced) == 1


def test_no_revision_is_given_twice(routes: RouteService, database: Database) -> None:
    routes.put("tiny", draft(9, 1), by="bot")
    routes.delete("tiny", by="bot")
    with pytest.raises(RouteNotFound):
        routes.get("tiny")

    assert routes.put("tiny", draft(9, 1), by="bot").revision == 3
    assert [entry.details["revision"] for entry in AuditLog(database).entries(limit=3)] == [3, 2, 1]


def test_a_variant_that_leads_nowhere_is_refused(routes: RouteService) -> None:
    lost = RouteDraft(variants=[Variant(name="a", version=3, weight=1)])

    with pytest.raises(InvalidFields, match=r"variants\.0\.version"):
        routes.put("tiny", lost, by="bot")
    with pytest.raises(RouteNotFound):
        routes.get("tiny")


def test_the_choice_is_explained(routes: RouteService) -> None:
    overrides = (Override(variant="candidate", client="checkout"), Override(variant="control", subject="vip"))
    routes.put("tiny", draft(1, 0, overrides=overrides), by="bot")
    bucket = routes.explain("tiny", subject="user-1", client_id="other")
    client = routes.explain("tiny", subject="", client_id="checkout")
    subject = routes.explain("tiny", subject="vip", client_id="checkout")

    assert (bucket.choice.variant, bucket.version, bucket.choice.why) == ("control", 1, Why.BUCKET)
    assert (client.choice.variant, client.version, client.choice.why) == ("candidate", 2, Why.CLIENT)
    assert (client.subject, client.revision) == ("checkout", 1)
    assert (subject.choice.variant, subject.choice.why) == ("control", Why.SUBJECT)


def test_without_a_model_or_a_route_there_is_nothing_to_do(routes: RouteService) -> None:
    with pytest.raises(ModelNotFound):
        routes.put("gone", draft(1, 1), by="bot")
    with pytest.raises(RouteNotFound):
        routes.delete("tiny", by="bot")
    with pytest.raises(RouteNotFound):
        routes.explain("tiny", subject="a", client_id="b")


def test_a_version_named_by_a_route_should_run(routes: RouteService, database: Database, tmp_path: Path) -> None:
    releases = ReleaseService(database, make_store(tmp_path))
    routes.put("tiny", draft(1, 0), by="bot")
    assert [str(wanted.ref) for wanted in desired_versions(releases.catalog())] == ["tiny/1", "tiny/2"]

    routes.delete("tiny", by="bot")
    assert [str(wanted.ref) for wanted in desired_versions(releases.catalog())] == ["tiny/1"]
    with pytest.raises(VersionNotFound):
        releases.find("tiny", "candidate")
