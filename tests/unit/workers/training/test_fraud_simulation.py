"""The simulated payments: repeatable, as large as asked for, with the three kinds of fraud."""

from dataclasses import replace

import numpy as np
import pytest

from tests.factories.transactions import TINY_WORLD
from workers.training.fraud_payments import DAY_MS
from workers.training.fraud_simulation import CUSTOMER_DAYS, END_MS, LARGE_AMOUNT, TERMINAL_DAYS, simulate

HONEST = replace(TINY_WORLD, terminals_a_day=0.0, customers_a_day=0.0)


def test_the_same_seed_makes_the_same_payments() -> None:
    one, again, other = (simulate(TINY_WORLD, seed=seed) for seed in (1, 1, 2))

    assert list(one.events()) == list(again.events())
    assert list(one.events()) != list(other.events())


def test_payments_are_in_the_order_of_time_within_the_days() -> None:
    made = simulate(TINY_WORLD, seed=0)

    assert np.all(np.diff(made.times_ms) >= 0)
    assert END_MS - TINY_WORLD.days * DAY_MS <= made.times_ms[0] <= made.times_ms[-1] < END_MS
    assert len(made) == pytest.approx(2 * TINY_WORLD.customers * TINY_WORLD.days, rel=0.3)
    assert made.amounts.min() >= 0
    assert set(made.channels.tolist()) == {0, 1, 2}
    assert set(made.countries.tolist()) == {0, 1, 2, 3}


def test_without_compromises_only_large_amounts_are_fraud() -> None:
    made = simulate(HONEST, seed=0)

    assert made.is_fraud.tolist() == (made.amounts > LARGE_AMOUNT).tolist()


def test_a_compromised_terminal_is_fraud_for_its_days_whoever_pays() -> None:
    made = simulate(replace(HONEST, terminals_a_day=0.05), seed=0)
    bad = made.merchants[made.is_fraud & (made.amounts <= LARGE_AMOUNT)]
    terminal = np.bincount(bad).argmax()
    rows = made.taken(np.flatnonzero(made.merchants == terminal))
    days = np.unique(rows.times_ms[rows.is_fraud] // DAY_MS)

    assert len(np.unique(rows.accounts[rows.is_fraud])) > 1
    assert np.ptp(days) < TERMINAL_DAYS
    between = (rows.times_ms // DAY_MS >= days[0]) & (rows.times_ms // DAY_MS <= days[-1])
    assert rows.is_fraud[between].all()


def test_a_compromised_customer_pays_five_times_as_much_now_and_then() -> None:
    world = replace(HONEST, customers_a_day=0.2)
    honest, robbed = simulate(HONEST, seed=3), simulate(world, seed=3)
    rows = np.flatnonzero(robbed.is_fraud & ~honest.is_fraud)
    frauds = robbed.taken(rows)

    assert len(frauds) > 20
    np.testing.assert_allclose(frauds.amounts, 5 * honest.amounts[rows], atol=0.01)
    for account in np.unique(frauds.accounts)[:5]:
        days = frauds.times_ms[frauds.accounts == account] // DAY_MS
        assert np.ptp(days) < 3 * CUSTOMER_DAYS
