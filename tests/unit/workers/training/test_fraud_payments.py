"""Payments as columns: parts of them, and the events that the server would get."""

from dataclasses import replace

import numpy as np

from tests.factories.payments import payment
from tests.factories.transactions import START_MS, payments_of
from workers.training.fraud_payments import DAY_MS

PAYMENTS = payments_of((0, "b", "m", 1.5, False), (1, "a", "n", 2.5, True), (2, "b", "n", 3.5, False))


def test_events_name_what_columns_count() -> None:
    known = replace(PAYMENTS, channels=np.array([0, -1, 0]), channel_names=["pos"])

    assert list(known.events()) == [
        payment(START_MS, event_id="0", account_id="b", amount=1.5, channel="pos"),
        payment(START_MS + DAY_MS, event_id="1", account_id="a", merchant_id="n", amount=2.5),
        payment(START_MS + 2 * DAY_MS, event_id="2", account_id="b", merchant_id="n", amount=3.5, channel="pos"),
    ]


def test_a_part_keeps_the_ids_of_the_whole() -> None:
    part = PAYMENTS.taken(PAYMENTS.between(START_MS + 1, START_MS + 2 * DAY_MS))

    assert len(part) == 1
    assert [event.account_id for event in part.events()] == ["a"]
    assert part.account_ids == ["a", "b"]
    assert part.is_fraud.tolist() == [True]
