"""Features of payments: what they say, as of when, and that order does not matter where that is promised."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EventTooLate
from app.scenarios.fraud_events import FraudEvent
from app.scenarios.fraud_features import FEATURES, MAX_LATENESS_MS, advance, key_of
from app.scenarios.fraud_state import decode_state, encode_state
from tests.factories.payments import HOUR_MS, MONDAY_MS, Habits, after, payment, payments


def named(events: list[FraudEvent]) -> dict[str, float]:
    """Return the features of the last event by name."""
    return dict(zip(FEATURES, after(events)[1][-1], strict=True))


def test_a_first_event_stands_alone() -> None:
    features = named([payment(amount=20.0, channel="pos", country="DE")])

    assert len(features) == len(FEATURES)
    assert features["amount"] == features["sum_1m"] == features["sum_7d"] == features["mean_24h"] == 20.0
    assert features["count_1m"] == features["merchants_1h"] == features["countries_7d"] == 1.0
    assert (features["events_before"], features["since_last_s"]) == (0.0, 604_800.0)
    assert (features["is_new_merchant"], features["is_new_country"], features["is_pos"]) == (1.0, 1.0, 1.0)
    assert (features["amount_to_mean"], features["amount_deviations"], features["is_online"]) == (1.0, 0.0, 0.0)


def test_windows_hold_what_is_in_them() -> None:
    times = [0, 6 * 24, 6 * 24 + 20, 6 * 24 + 20.5]
    events = [
        payment(MONDAY_MS + int(hours * HOUR_MS), amount=10.0 * 2**place, merchant_id=f"m{place % 3}", country="DE")
        for place, hours in enumerate(times)
    ]
    features = named(events)

    assert [features[f"count_{window}"] for window in ("1m", "1h", "24h", "7d")] == [1, 2, 3, 4]
    assert [features[f"sum_{window}"] for window in ("1m", "1h", "24h", "7d")] == [80, 120, 140, 150]
    assert [features[f"merchants_{window}"] for window in ("1m", "1h", "24h", "7d")] == [1, 2, 3, 3]
    assert features["countries_7d"] == 1
    assert (features["mean_1h"], features["since_last_s"]) == (60.0, 1800.0)
    assert features["is_new_merchant"] == 0.0


def test_amounts_are_seen_beside_those_before() -> None:
    usual = [payment(MONDAY_MS + hour * HOUR_MS, amount=10.0) for hour in range(10)]
    features = named([*usual, payment(MONDAY_MS + 10 * HOUR_MS, amount=100.0)])

    assert features["amount_to_mean"] == pytest.approx(10.0, rel=0.01)
    assert features["amount_deviations"] == pytest.approx(math.log(101 / 11) / 0.25, rel=0.01)
    assert features["events_before"] == 10.0
    assert named([*usual, payment(MONDAY_MS + 10 * HOUR_MS, amount=1e9)])["amount_deviations"] == 10.0


@pytest.mark.parametrize(("day", "is_weekend"), [(-1, 1.0), (0, 0.0), (4, 0.0), (5, 1.0), (6, 1.0), (7, 0.0)])
def test_days_of_the_week(day: int, is_weekend: float) -> None:
    assert named([payment(MONDAY_MS + day * 24 * HOUR_MS)])["is_weekend"] == is_weekend


@pytest.mark.parametrize(("days", "is_new"), [(1, 0.0), (6, 0.0), (8, 1.0), (100, 1.0)])
def test_who_was_met_more_than_a_week_ago_is_new(days: int, is_new: float) -> None:
    features = named([payment(country="DE"), payment(MONDAY_MS + days * 24 * HOUR_MS, country="DE")])

    assert (features["is_new_merchant"], features["is_new_country"]) == (is_new, is_new)


def test_hours_turn_round_the_clock() -> None:
    features = named([payment(MONDAY_MS + 6 * HOUR_MS)])

    assert (features["hour_sin"], features["hour_cos"]) == pytest.approx((1.0, 0.0), abs=1e-9)


def test_lateness_counts_from_the_newest_event_of_the_account() -> None:
    state, _ = after([payment(MONDAY_MS), payment(MONDAY_MS + HOUR_MS)])

    advance(state, payment(MONDAY_MS + HOUR_MS - MAX_LATENESS_MS))
    assert (state.newest_ms, state.history.events) == (MONDAY_MS + HOUR_MS, 3)
    before = encode_state(state)
    with pytest.raises(EventTooLate, match=r"3600\.001 s before the newest event .* at most 3600 s"):
        advance(state, payment(MONDAY_MS + HOUR_MS - MAX_LATENESS_MS - 1))
    assert encode_state(state) == before


def test_a_late_event_counts_in_its_own_time() -> None:
    newest, late = payment(MONDAY_MS + HOUR_MS, amount=7.0), payment(MONDAY_MS + HOUR_MS // 2, amount=5.0)
    features = named([newest, late])

    assert (features["count_1m"], features["sum_1m"]) == (1.0, 7.0)
    assert (features["count_1h"], features["sum_1h"], features["since_last_s"]) == (2.0, 12.0, 0.0)


@given(st.integers(0, 2**31), st.integers(2, 40), st.sampled_from([1.0, 30.0, 80.0]))
def test_order_within_the_lateness_does_not_matter(seed: int, count: int, gap_s: float) -> None:
    events = [each for each in payments(count, Habits(gap_s), seed=seed) if each.occurred_ms < MONDAY_MS + HOUR_MS]
    past = payments(30, Habits(20_000.0), seed=seed + 1)
    start, _ = after([payment(each.occurred_ms - 10**9, merchant_id=each.merchant_id) for each in past])
    shuffled = random.Random(seed).sample(events, len(events))

    assert encode_state(after(shuffled, start)[0]) == encode_state(after(events, start)[0])


@given(
    st.lists(
        st.builds(
            payment,
            st.integers(946_684_800_000, 4_102_444_800_000),
            merchant_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
            amount=st.floats(0, 1e9),
            channel=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
            country=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        ),
        max_size=12,
    )
)
def test_whatever_is_read_gives_numbers_and_a_state_that_comes_back(events: list[FraudEvent]) -> None:
    state, _ = after([])
    for event in events:
        try:
            features = advance(state, event)
        except EventTooLate:
            continue
        assert all(map(math.isfinite, features))
        assert decode_state(encode_state(state)) == state


def test_keys_are_the_same_in_every_process() -> None:
    assert key_of("m-1") == 0xCEBADBB4
    assert key_of("ñ") != key_of("n")
