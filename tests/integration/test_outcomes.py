"""Outcomes on PostgreSQL, whose sums and upserts are its own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest

from app.db.migrate import upgrade
from app.db.repositories.outcomes import OutcomeRepository, OutcomeSums
from app.db.session import Database
from app.services.outcomes import LARGEST_VALUE, SMALLEST_VALUE, purge_old_outcomes
from tests.factories.outcomes import NOW, make_outcome
from tests.factories.postgres_server import PostgresServer


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    url = postgres.make_database()
    upgrade(url)
    database = Database(url)
    yield database
    database.close()


def put(database: Database, **values: float) -> None:
    with database.write() as session:
        OutcomeRepository(session).put([make_outcome(unit=f"request:{name}", value=values[name]) for name in values])


def sums(database: Database) -> OutcomeSums:
    with database.read() as session:
        [only] = OutcomeRepository(session).sums("digits", 3)
    return only


def test_a_later_value_takes_the_earlier_ones_place(database: Database) -> None:
    put(database, one=1.0, other=2.0)
    put(database, one=4.0)

    assert (sums(database).count, sums(database).mean, sums(database).squares) == (2, 3.0, 2.0)


def test_sums_keep_their_digits_far_from_zero(database: Database) -> None:
    values = 1e9 + np.random.default_rng(3).normal(0, 1, 300)
    put(database, **{f"r{number}": float(value) for number, value in enumerate(values)})

    assert sums(database).squares / 299 == pytest.approx(values.var(ddof=1), rel=1e-6)


def test_the_largest_and_the_smallest_values_break_no_sum(database: Database) -> None:
    put(database, a=LARGEST_VALUE, b=-LARGEST_VALUE, c=SMALLEST_VALUE, d=0.0)

    assert sums(database).mean == pytest.approx(0.0, abs=LARGEST_VALUE * 1e-15)
    assert sums(database).squares == pytest.approx(2 * LARGEST_VALUE**2)


def test_writers_of_the_same_units_do_not_lock_each_other_out(database: Database) -> None:
    units = [f"r{number}" for number in range(200)]

    def write(turn: int) -> None:
        order = units if turn % 2 else units[::-1]
        put(database, **dict.fromkeys(order, float(turn)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))

    assert sums(database).count == len(units)


def test_old_outcomes_are_purged(database: Database) -> None:
    put(database, one=1.0, other=2.0)

    assert purge_old_outcomes(database, before=NOW + timedelta(days=1)) == 2
