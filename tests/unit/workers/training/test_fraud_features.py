"""Features in training: those that the server computes, event by event; and merchant risk as it was known."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InputError
from app.scenarios.fraud_events import decode_event, encode_event
from app.scenarios.fraud_features import advance
from app.scenarios.fraud_state import AccountState, decode_state, encode_state
from tests.factories.transactions import START_MS, TINY_WORLD, payments_of
from workers.training.fraud_features import (
    COLUMNS,
    DELAY_DAYS,
    RISK_DAYS,
    Split,
    featurize,
    fit_risk,
    risk_column,
    risk_of,
)
from workers.training.fraud_payments import DAY_MS
from workers.training.fraud_simulation import simulate


def test_a_day_replayed_one_by_one_has_the_features_of_training() -> None:
    payments = simulate(replace(TINY_WORLD, customers=25), seed=0)
    trained_on = featurize(payments)
    states: dict[str, bytes] = {}
    last_day = payments.between(payments.times_ms[-1] - DAY_MS, payments.times_ms[-1] + 1)

    for row, sent in enumerate(payments.events()):
        event = decode_event(encode_event(sent))
        state = decode_state(states[event.account_id]) if event.account_id in states else AccountState()
        features = advance(state, event)
        states[event.account_id] = encode_state(state)
        if row >= last_day.start:
            assert np.array_equal(np.array(features, np.float32), trained_on[row])
    assert last_day.stop - last_day.start > 20


def test_the_time_is_cut_so_that_labels_can_come() -> None:
    payments = simulate(TINY_WORLD, seed=0)
    split = Split.of(payments)
    rows = split.slices(payments)

    assert split.test_ms - split.delay_ms == DELAY_DAYS * DAY_MS
    assert rows["training"].stop == rows["validation"].start < rows["validation"].stop < rows["test"].start
    assert payments.times_ms[rows["validation"].stop - 1] < split.delay_ms
    assert (rows["training"].start, rows["test"].stop) == (0, len(payments))


@pytest.mark.parametrize(
    ("days", "fraud_on", "complaint"), [(20, 7, "of 19.0 days"), (40, 99, "all fraud, or none"), (40, 1, "validation")]
)
def test_too_little_to_learn_from_is_refused(days: int, fraud_on: int, complaint: str) -> None:
    payments = payments_of(*((day, "a", "m", 1.0, day % fraud_on == 0 and day > 0) for day in range(days)))

    with pytest.raises(InputError, match=complaint):
        Split.of(payments)


def test_risk_is_the_share_of_fraud_in_the_days_before() -> None:
    bad = [(float(day), "a", "bad", 1.0, True) for day in range(10, 30)]
    good = [(float(day), "a", "good", 1.0, False) for day in range(10, 30)]
    old = [(0.0, "a", "old", 1.0, True)]
    payments = payments_of(*old, *(row for pair in zip(bad, good, strict=True) for row in pair))
    risk = fit_risk(payments, START_MS + 30 * DAY_MS)

    assert risk.of("bad") > 0.8
    assert risk.of("good") < risk.usual < risk.of("bad")
    assert risk.of("old") == risk.of("never seen") == risk.usual
    assert RISK_DAYS < 30


def test_nothing_is_known_of_labels_that_had_not_come() -> None:
    payments = simulate(TINY_WORLD, seed=0)
    split = Split.of(payments)
    column = risk_column(payments, split)[:, 0]
    rows = split.slices(payments)["test"]

    known = fit_risk(payments.taken(payments.between(0, split.delay_ms)), split.delay_ms)
    assert np.array_equal(column[rows], risk_of(payments.taken(rows), known))
    assert len(np.unique(column[:100])) == 1
    assert COLUMNS[-1] == "merchant_risk"
