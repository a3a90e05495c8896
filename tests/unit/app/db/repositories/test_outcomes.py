"""Outcomes in SQL: replaced, summed up and purged."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from app.db.repositories.outcomes import OutcomeRepository, OutcomeSums
from app.db.repositories.routes import RouteFacts, RouteRepository
from tests.factories.database import make_database
from tests.factories.outcomes import NOW, make_outcome

LATER = NOW + timedelta(days=1)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = make_database(tmp_path)
    with database.write() as session:
        yield session
    database.close()


@pytest.fixture
def outcomes(session: Session) -> OutcomeRepository:
    return OutcomeRepository(session)


def route(revision: int) -> RouteFacts:
    document = {"variants": [{"name": "control", "version": 1, "weight": 1}]}
    return RouteFacts(
        model_name="digits",
        revision=revision,
        document=document,
        buckets=[["control", 10_000]],
        updated_at=NOW,
        updated_by="test",
    )


def test_the_same_units_later_value_takes_the_earlier_ones_place(outcomes: OutcomeRepository) -> None:
    outcomes.put([make_outcome(value=1.0)])
    outcomes.put([make_outcome(value=5.0, variant="candidate"), make_outcome(value=4.0, variant="candidate")])

    assert outcomes.sums("digits", 3) == [
        OutcomeSums(variant="candidate", metric="conversion", count=1, mean=4.0, squares=0.0)
    ]


def test_models_revisions_metrics_and_units_are_apart(outcomes: OutcomeRepository) -> None:
    apart = [{"model_name": "fraud"}, {"revision": 4}, {"metric": "revenue"}, {"unit": "request:ann"}]
    outcomes.put([make_outcome(), *(make_outcome(**change) for change in apart)])

    counts = [(sums.metric, sums.count) for sums in outcomes.sums("digits", 3)]

    assert counts == [("conversion", 2), ("revenue", 1)]


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e12])
def test_sums_are_those_of_the_values(outcomes: OutcomeRepository, offset: float) -> None:
    generator = np.random.default_rng(7)
    values = {name: offset + generator.normal(3, 2, 400) for name in ("candidate", "control")}
    outcomes.put(
        [
            make_outcome(variant=name, unit=f"request:{name}-{number}", value=float(value))
            for name in values
            for number, value in enumerate(values[name])
        ]
    )

    for sums in outcomes.sums("digits", 3):
        assert sums.count == 400
        assert sums.mean == pytest.approx(values[sums.variant].mean(), rel=1e-12)
        # What a double keeps of values that far from zero.
        assert sums.squares / 399 == pytest.approx(values[sums.variant].var(ddof=1), rel=1e-3)


def test_old_outcomes_of_earlier_revisions_are_purged(session: Session, outcomes: OutcomeRepository) -> None:
    RouteRepository(session).put(route(4))
    outcomes.put([make_outcome(revision=3), make_outcome(revision=4)])
    outcomes.put([make_outcome(revision=3, unit="subject:bob", recorded_at=LATER)])

    assert outcomes.purge(LATER, limit=10) == 1
    assert outcomes.purge(LATER, limit=10) == 0
    assert [outcomes.sums("digits", revision)[0].count for revision in (3, 4)] == [1, 1]


def test_a_deleted_route_keeps_no_outcomes(session: Session, outcomes: OutcomeRepository) -> None:
    RouteRepository(session).put(route(3))
    outcomes.put([make_outcome()])
    RouteRepository(session).delete(route(3))

    assert outcomes.purge(LATER, limit=10) == 1


def test_a_purge_takes_no_more_than_it_may(outcomes: OutcomeRepository) -> None:
    outcomes.put([make_outcome(unit=f"subject:{number}") for number in range(5)])

    assert [outcomes.purge(LATER, limit=2) for _ in range(4)] == [2, 2, 1, 0]
