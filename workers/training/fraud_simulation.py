"""A made-up set of payments, for a start without a file, as the Fraud Detection Handbook describes its simulator.

Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection", chapter 3:
customers and terminals lie somewhere on a square of 100 × 100; a customer pays at terminals within a radius, so many
times a day and so much as is usual for that customer. Three kinds of fraud:

1. any amount over 220;
2. terminals that are compromised, some more each day: for 28 days all payments there are fraud;
3. customers who are compromised, some more each day: for 14 days a third of their payments is five times as much.

Channels and countries are none of the handbook's: a terminal has one of each, the country by where it lies.
"""

from dataclasses import dataclass

import numpy as np

from workers.training.fraud_payments import DAY_MS, Flags, Integers, Numbers, Payments

# 2026-01-01 00:00 UTC: the same set is made on every day.
END_MS = 1_767_225_600_000
_MS_PER_S = 1000
SIDE = 100.0
LARGE_AMOUNT = 220.0
TERMINAL_DAYS = 28
CUSTOMER_DAYS = 14
CUSTOMER_SHARE = 1 / 3
CUSTOMER_FACTOR = 5.0

_CHANNELS = ("pos", "atm", "online")
_CHANNEL_SHARES = (0.8, 0.1, 0.1)
_COUNTRIES = ("NL", "BE", "FR", "DE")
_NOON_S, _SPREAD_S, _DAY_S = 43_200.0, 20_000.0, 86_400.0


@dataclass(frozen=True, kw_only=True)
class World:
    """How large the set is, and how much fraud is in it; the handbook has 5 000 customers and 10 000 terminals."""

    customers: int = 600
    terminals: int = 1_200
    days: int = 98
    radius: float = 5.0
    """How far from a customer terminals may lie."""
    terminals_a_day: float = 0.5
    """How many terminals are compromised in a day, on average; the handbook has two."""
    customers_a_day: float = 1.5
    """How many customers are, which is three in the handbook."""


def simulate(world: World, *, seed: int) -> Payments:
    """Make the payments; customers and terminals have the ids 1, 2, 3 and so on."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, SIDE, (world.terminals, 2))
    means = rng.uniform(5, 100, world.customers)
    reachable = _reachable(world, places, rng)
    customers, times_ms = _payers(world, reachable, rng)
    days = (times_ms // DAY_MS).astype(np.int64)
    terminals = _chosen(reachable, customers, rng)
    amounts = _amounts(means[customers], rng)
    is_taken = rng.random(len(customers)) < CUSTOMER_SHARE
    is_taken &= _compromised(world.customers, world.days, world.customers_a_day, CUSTOMER_DAYS, rng)[customers, days]
    bad_terminals = _compromised(world.terminals, world.days, world.terminals_a_day, TERMINAL_DAYS, rng)
    is_fraud = (amounts > LARGE_AMOUNT) | bad_terminals[terminals, days] | is_taken
    channels = rng.choice(len(_CHANNELS), world.terminals, p=_CHANNEL_SHARES)
    countries = (places[:, 0] * (len(_COUNTRIES) / SIDE)).astype(np.int64)
    return Payments(
        times_ms=times_ms + END_MS - world.days * DAY_MS,
        accounts=customers,
        merchants=terminals,
        amounts=np.where(is_taken, amounts * CUSTOMER_FACTOR, amounts).round(2),
        is_fraud=is_fraud,
        channels=channels[terminals],
        countries=countries[terminals],
        account_ids=[str(number) for number in range(1, world.customers + 1)],
        merchant_ids=[str(number) for number in range(1, world.terminals + 1)],
        channel_names=_CHANNELS,
        country_names=_COUNTRIES,
    )


def _reachable(world: World, places: Numbers, rng: np.random.Generator) -> list[Integers]:
    """Return the terminals within reach of each customer."""
    homes = rng.uniform(0, SIDE, (world.customers, 2))
    return [np.flatnonzero(((places - home) ** 2).sum(axis=1) < world.radius**2) for home in homes]


def _payers(world: World, reachable: list[Integers], rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Return who pays when, in milliseconds from the first day, in the order of time."""
    a_day = rng.uniform(0, 4, world.customers) * [len(terminals) > 0 for terminals in reachable]
    counts = rng.poisson(a_day[:, None], (world.customers, world.days))
    customers, days = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    seconds = rng.normal(_NOON_S, _SPREAD_S, len(customers))
    is_today = (seconds > 0) & (seconds < _DAY_S)
    times_ms = days * DAY_MS + (seconds * _MS_PER_S).astype(np.int64)
    order = np.argsort(times_ms[is_today], kind="stable")
    return customers[is_today][order], times_ms[is_today][order]


def _chosen(reachable: list[Integers], customers: Integers, rng: np.random.Generator) -> Integers:
    """Return at which of the terminals within reach each payment is."""
    counts = np.array([len(terminals) for terminals in reachable])
    starts = np.cumsum(counts) - counts
    picks = (rng.random(len(customers)) * counts[customers]).astype(np.int64)
    chosen: Integers = np.concatenate(reachable)[starts[customers] + picks]
    return chosen


def _amounts(means: Numbers, rng: np.random.Generator) -> Numbers:
    drawn = rng.normal(means, means / 2)
    amounts: Numbers = np.where(drawn < 0, rng.uniform(0, 2 * means), drawn).round(2)
    return amounts


def _compromised(count: int, days: int, a_day: float, lasting: int, rng: np.random.Generator) -> Flags:
    """Return which of so many are compromised on which day, [count, days]."""
    victims = np.zeros((count, days), np.bool_)
    for day in range(days):
        drawn = rng.choice(count, min(count, rng.poisson(a_day)), replace=False)
        victims[drawn, day : day + lasting] = True
    return victims
