"""A score that is not that of one thread alone is found; so is an account that was moved too often, or not at all."""

import asyncio
import struct
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from app.scenarios.fraud_events import FraudEvent
from tests.chaos.journal import Journal
from tests.chaos.scored import Reference
from tests.factories.account_states import AccountState
from tests.factories.payments import payment

EVENTS = [payment(event_id="e1", account_id="a"), payment(event_id="e2", account_id="a")]
GOOD = {"e1": 0.1, "e2": 0.2}
PAST = {"sum": 2}


class Alone:
    """Stands in for the model: it has these scores for these payments."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.scores = GOOD

    def score(self, events: Iterable[FraudEvent]) -> None:
        for event in events:
            self.states[event.account_id] = msgspec.msgpack.encode([1, struct.pack("<2f", 0.5, 0.25), PAST])


def broken_by(scores: dict[str, float], found: dict[str, AccountState]) -> list[str]:
    alone: Any = Alone()
    reference = Reference(alone, journal := Journal())
    asyncio.run(reference.compare("me", EVENTS, scores))
    assert reference.compare_states(found) == 1
    reference.close()
    return [violation.rule for violation in journal.violations]


@pytest.mark.parametrize(
    ("scores", "found", "broken"),
    [
        (GOOD, {"a": AccountState(2, [0.5, 0.25], PAST)}, []),
        ({**GOOD, "e2": 0.3}, {"a": AccountState(2, [0.5, 0.25], PAST)}, ["rightly"]),
        ({"e1": 0.1}, {"a": AccountState(2, [0.5, 0.25], PAST)}, ["rightly"]),
        (GOOD, {"a": AccountState(3, [0.5, 0.25], PAST)}, ["state"]),
        (GOOD, {"a": AccountState(2, [0.5, 0.26], PAST)}, ["state"]),
        (GOOD, {"a": AccountState(2, [0.5, 0.25], {"sum": 3})}, ["state"]),
        (GOOD, {}, ["state"]),
    ],
)
def test_what_is_told_of_payments(scores: dict[str, float], found: dict[str, AccountState], broken: list[str]) -> None:
    assert broken_by(scores, found) == broken
