"""Payments of accounts: events as a runner gets them, and as callers write them."""

import random
from dataclasses import dataclass
from typing import Any

from app.scenarios.fraud_events import FraudEvent
from app.scenarios.fraud_features import Features, advance
from app.scenarios.fraud_state import AccountState, decode_state, encode_state

# 2026-01-05, a Monday, 00:00 UTC; a multiple of all buckets but those of six hours and a day.
MONDAY_MS = 1_767_571_200_000
HOUR_MS = 3_600_000

MEMBERS: dict[str, Any] = {
    "event_id": "e-1",
    "account_id": "a-1",
    "merchant_id": "m-1",
    "amount": 12.5,
    "currency": "EUR",
    "occurred_at": "2026-01-05T00:00:00Z",
}
"""An event as a caller writes it, with nothing that may be left out."""


def payment(at_ms: int = MONDAY_MS, **changes: Any) -> FraudEvent:
    """Return a payment of 12.50 at some time."""
    fields: dict[str, Any] = {"event_id": "e", "account_id": "a", "merchant_id": "m", "amount": 12.5}
    return FraudEvent(**{**fields, "occurred_ms": at_ms, **changes})


@dataclass(frozen=True)
class Habits:
    """What an account is like, for payments that are made up."""

    mean_gap_s: float = 3600.0
    merchants: int = 20
    countries: int = 3


def payments(count: int, habits: Habits | None = None, *, seed: int = 0, account: str = "a") -> list[FraudEvent]:
    """Return that many payments of one account, in the order of their times."""
    rng, wont = random.Random(seed), habits or Habits()
    made, at_ms = [], MONDAY_MS
    for number in range(count):
        at_ms += int(rng.expovariate(1 / wont.mean_gap_s) * 1000)
        made.append(
            payment(
                at_ms,
                event_id=f"{account}-{number}",
                account_id=account,
                merchant_id=f"m-{rng.randrange(wont.merchants)}",
                amount=round(rng.lognormvariate(3, 1), 2),
                channel=rng.choice(["online", "pos", "atm", "mail", None]),
                country=rng.choice([None, *(f"C{each}" for each in range(wont.countries))]),
            )
        )
    return made


def after(events: list[FraudEvent], before: AccountState | None = None) -> tuple[AccountState, list[Features]]:
    """Return the state after events, and the features of each; the state before stays as it is."""
    state = AccountState() if before is None else decode_state(encode_state(before))
    return state, [advance(state, event) for event in events]
