"""Payments of the benchmark are ones that Galley takes, and the same each time."""

from datetime import UTC, datetime
from itertools import pairwise

from app.scenarios.fraud_events import FraudEvent, read_event
from tests.load.stream_payments import Payers, Payment, Payments


def drawn(name: str, payers: Payers, count: int = 200) -> list[Payment]:
    source = Payments(name, payers)
    return [next(source) for _ in range(count)]


def read(payments: list[Payment]) -> list[FraudEvent]:
    return [read_event(payment.event, now=datetime.now(UTC)) for payment in payments]


def test_payments_are_read_and_rise_in_time() -> None:
    payments = drawn("a", Payers(accounts=3, merchants=5, countries=2, step_s=60.0))
    events = read(payments)

    assert [event.event_id for event in events] == [payment.event_id for payment in payments]
    assert len({event.event_id for event in events}) == len(events)
    assert {event.account_id for event in events} == {"a-0", "a-1", "a-2"}
    assert {event.merchant_id for event in events} == set("12345")
    assert {event.country for event in events} == {"C0", "C1"}
    assert {later.occurred_ms - one.occurred_ms for one, later in pairwise(events)} == {60_000}


def test_same_name_same_payments_and_another_name_other_accounts() -> None:
    assert drawn("a", Payers()) == drawn("a", Payers())
    ours, others = ({event.account_id for event in read(drawn(name, Payers()))} for name in "ab")
    assert not ours & others
