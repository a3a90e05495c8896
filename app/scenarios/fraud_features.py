"""What a payment looks like beside its account's past: the one way from events to features, in training and serving.

Features are as of the account's newest event, the one at hand included; what is said of the history is from before it.
Times are the events' own. One older than the newest by more than `MAX_LATENESS_MS` is refused: what it would change is
known no more to the bucket.
"""

import math
from typing import Final
from zlib import crc32

from app.errors import EventTooLate
from app.scenarios.fraud_events import FraudEvent
from app.scenarios.fraud_state import MOST_COUNTRIES, MOST_MERCHANTS, AccountState, History
from app.scenarios.fraud_windows import LONGEST, WINDOWS, Seen

Features = tuple[float, ...]

MAX_LATENESS_MS: Final = 3_600_000
CHANNELS: Final = ("online", "pos", "atm")

# Manifests name features; a later release may add some behind these, and takes none away.
OWN_FEATURES: Final = (
    "amount", "amount_to_mean", "amount_deviations", "events_before", "since_last_s", "is_new_merchant",
    "is_new_country", "hour_sin", "hour_cos", "is_weekend", *(f"is_{channel}" for channel in CHANNELS),
)  # fmt: skip
WINDOW_FEATURES: Final = ("count", "sum", "mean", "merchants", "countries")
FEATURES: Final = (*OWN_FEATURES, *(f"{name}_{window.name}" for window in WINDOWS for name in WINDOW_FEATURES))
MERCHANT_RISK: Final = "merchant_risk"
"""The feature that the version knows by heart, from its assets: it stands behind all others."""

_IS_CHANNEL: Final = {channel: tuple(float(channel == each) for each in CHANNELS) for channel in CHANNELS}
_NO_CHANNEL: Final = (0.0,) * len(CHANNELS)
# Logarithms of amounts are summed in whole steps, which add up to the same in any order.
_STEPS: Final = 4096
# Amounts of an account that always pays the same differ by this much in their logarithm nevertheless.
_LEAST_DEVIATION: Final = 0.25
_MOST_DEVIATIONS: Final = 10.0
_MOST_TO_MEAN: Final = 1000.0
# As long ago as the past that windows know; so it is said of a first event.
_LONGEST_AGO_S: Final = float(LONGEST.bucket_s * LONGEST.buckets)
_DAY_S: Final = 86_400
_HOURS_TURN: Final = 2 * math.pi / _DAY_S
# 1970 began on a Thursday.
_FIRST_WEEKDAY: Final = 3
_SATURDAY: Final = 5


def advance(state: AccountState, event: FraudEvent) -> Features:
    """Take an event into its account's state; return its features, in the order of `FEATURES`.

    :raises EventTooLate: when the account's newest event is later by more than `MAX_LATENESS_MS`; the state stays as
        it is.
    """
    late_ms = state.newest_ms - event.occurred_ms
    if late_ms > MAX_LATENESS_MS:
        raise EventTooLate(late_ms / 1000, limit_s=MAX_LATENESS_MS // 1000)

    second = event.occurred_ms // 1000
    steps = _steps(event.amount)
    beside_history = _beside_history(state.history, event.amount, steps)
    since_last_s = _since_last_s(state, event.occurred_ms)
    state.history.add(steps)
    state.newest_ms = max(state.newest_ms, event.occurred_ms)
    start_s = LONGEST.start_s(state.newest_ms // 1000)
    return (
        *beside_history,
        since_last_s,
        _is_new(state.merchants, event.merchant_id, second, start_s=start_s, most=MOST_MERCHANTS),
        _is_new(state.countries, event.country, second, start_s=start_s, most=MOST_COUNTRIES),
        *_calendar(second),
        *_IS_CHANNEL.get(event.channel or "", _NO_CHANNEL),
        *_windows(state, second, round(event.amount * 100)),
    )


def key_of(text: str) -> int:
    """Return 32 bits that stand for a text, the same in every process.

    Of the 128 merchants that are remembered of an account, two have the same in one account of half a million.
    """
    return crc32(text.encode())


def _steps(amount: float) -> int:
    return round(math.log1p(amount) * _STEPS)


def _beside_history(history: History, amount: float, steps: int) -> tuple[float, float, float, float]:
    """Return the amount, by how much it differs from those before in two ways, and how many those are."""
    if not history.events:
        return amount, 1.0, 0.0, 0.0

    mean = history.sum_steps / history.events
    variance = history.sum_squares / history.events - mean * mean
    spread = max(math.sqrt(max(variance, 0.0)) / _STEPS, _LEAST_DEVIATION)
    deviations = (steps - mean) / _STEPS / spread
    usual = max(math.expm1(mean / _STEPS), 0.01)
    return (
        amount,
        min(amount / usual, _MOST_TO_MEAN),
        max(-_MOST_DEVIATIONS, min(deviations, _MOST_DEVIATIONS)),
        float(history.events),
    )


def _since_last_s(state: AccountState, occurred_ms: int) -> float:
    """Return the seconds since the newest event before; none for one that is late."""
    if not state.history.events:
        return _LONGEST_AGO_S

    return min(max(occurred_ms - state.newest_ms, 0) / 1000, _LONGEST_AGO_S)


def _calendar(second: int) -> tuple[float, float, float]:
    days, time_of_day = divmod(second, _DAY_S)
    turn = time_of_day * _HOURS_TURN
    return math.sin(turn), math.cos(turn), float((days + _FIRST_WEEKDAY) % 7 >= _SATURDAY)


def _is_new(seen: Seen, name: str | None, second: int, *, start_s: int, most: int) -> float:
    """Note who was met in a second, if anybody; return 1 when that is nobody who was met since `start_s`."""
    seen.forget_before(start_s)
    return 0.0 if name is None else float(seen.meet(key_of(name), second, most=most))


def _windows(state: AccountState, second: int, cents: int) -> list[float]:
    """Count an event in all windows; return what is in them."""
    newest_s = state.newest_ms // 1000
    features: list[float] = []
    for window, tally in zip(WINDOWS, state.tallies, strict=True):
        first = window.first_bucket(newest_s)
        tally.add(second // window.bucket_s, cents, first_bucket=first)
        start_s = first * window.bucket_s
        count, euros = tally.count, tally.total_cents / 100
        features += (
            float(count),
            euros,
            euros / count if count else 0.0,
            float(state.merchants.since(start_s)),
            float(state.countries.since(start_s)),
        )
    return features
