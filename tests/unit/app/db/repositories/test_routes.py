"""A route is put and taken away, and no revision comes twice."""

from collections.abc import Iterator

import pytest

from app.db.repositories.routes import RouteRepository
from app.db.session import Database
from tests.factories.routes import make_route


@pytest.fixture
def routes(database: Database) -> Iterator[RouteRepository]:
    with database.write() as session:
        yield RouteRepository(session)


def test_a_route_comes_back_as_it_was_put(routes: RouteRepository) -> None:
    routes.put(make_route({"a": 1}))
    newer = make_route({"a": 1, "b": "next"}, revision=2, updated_by="somebody")
    routes.put(newer)

    assert routes.find("tiny") == newer
    assert routes.all() == [newer]
    assert routes.find("other") is None
    assert (newer.versions, newer.aliases) == ({1}, {"next"})


def test_a_route_taken_away_leaves_its_revision(routes: RouteRepository) -> None:
    assert routes.next_revision("tiny") == 1
    routes.put(make_route({"a": 1}))
    assert routes.next_revision("tiny") == 2

    routes.delete(make_route({"a": 1}, revision=2))

    assert routes.find("tiny") is None
    assert routes.all() == []
    assert routes.next_revision("tiny") == 3
