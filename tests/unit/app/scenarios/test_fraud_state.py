"""An account's state as bytes: it comes back, it stays small, and what is no state is refused."""

import random

import msgspec
import pytest

from app.scenarios.fraud_features import advance
from app.scenarios.fraud_state import (
    MAX_STATE_BYTES,
    MOST_IN_HISTORY,
    AccountState,
    History,
    decode_state,
    encode_state,
    fullest_state,
)
from app.scenarios.fraud_windows import WINDOWS
from tests.factories.payments import MONDAY_MS, Habits, after, payment, payments

LARGEST = 2**32 - 1
"""The largest key, second or bucket."""


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_a_state_comes_back(count: int) -> None:
    state, _ = after(payments(count))

    assert decode_state(encode_state(state)) == state


def fullest() -> bytes:
    """Return a state with an event in each bucket, and more merchants and countries than are remembered."""
    end = MONDAY_MS // 1000
    seconds = {end - back * window.bucket_s for window in WINDOWS for back in range(window.buckets)}
    seconds |= {end - back for back in range(200)}
    events = [
        payment(second * 1000, merchant_id=f"m{number}", country=f"c{number}", amount=1e9)
        for number, second in enumerate(sorted(seconds))
    ]
    return encode_state(after(events)[0])


def test_a_full_state_is_within_four_kilobytes() -> None:
    assert 2000 < len(fullest()) < MAX_STATE_BYTES


def test_no_numbers_make_a_state_longer_than_3200_bytes() -> None:
    assert len(encode_state(fullest_state())) <= 3200


@pytest.mark.long
@pytest.mark.parametrize("habits", [Habits(1.0, merchants=5000, countries=200), Habits(600.0, merchants=500)])
def test_a_hundred_thousand_events_stay_within_four_kilobytes(habits: Habits) -> None:
    state, sizes = AccountState(), []
    for event in payments(100_000, habits):
        advance(state, event)
        sizes.append(len(encode_state(state)))

    assert max(sizes) < MAX_STATE_BYTES
    assert max(sizes[50_000:]) <= max(sizes[:50_000]) + 200
    assert state.history.events == 100_000


def test_bytes_that_are_no_state_are_refused() -> None:
    data, rng = fullest(), random.Random(0)

    for size in [1, 2, 20, len(data) - 1, *rng.sample(range(40, len(data)), 50)]:
        with pytest.raises(msgspec.DecodeError, match="truncated"):
            decode_state(data[:size])
    with pytest.raises(msgspec.DecodeError, match="trailing"):
        decode_state(data + b"\0")
    with pytest.raises(msgspec.ValidationError):
        decode_state(msgspec.msgpack.encode([0, [0, 0, "many"]]))


def test_a_history_that_is_full_stays_as_it_is() -> None:
    full = History(events=7, sum_steps=5, sum_squares=MOST_IN_HISTORY - 3)
    full.add(2)

    assert full == History(7, 5, MOST_IN_HISTORY - 3)
    full.add(1)
    assert full == History(8, 6, MOST_IN_HISTORY - 2)
