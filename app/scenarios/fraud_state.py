"""What is known of one account from its own payments, and its bytes: at most 3.2 kB, however many payments there were.

Nothing here depends on the order in which events came, as long as none was refused for being late: the newest time is
a maximum, all else are sums of integers and sets by time. The bytes are canonical: equal states have equal bytes.
"""

from typing import Final

import msgspec
from msgspec import Struct, field

from app.scenarios.fraud_windows import MOST_COUNTED, MOST_SUMMED, WINDOWS, Seen, Tally

# What the bytes mean. Another meaning is another number, and no old state is read then.
STATE_VERSION: Final = 2
MAX_STATE_BYTES: Final = 4096
"""What is kept of an account may take so many bytes, with what a model remembers beside its past."""
MOST_MERCHANTS: Final = 128
MOST_COUNTRIES: Final = 32
# What sums in the history may be at most: they take 9 bytes.
MOST_IN_HISTORY: Final = 2**64 - 1


class History(Struct, array_like=True):
    """All amounts that an account ever paid: their logarithms, in whole steps, summed up, and their squares."""

    events: int = 0
    sum_steps: int = 0
    sum_squares: int = 0

    def add(self, steps: int) -> None:
        """Take in one more amount; a history that is full stays as it is."""
        squares = self.sum_squares + steps * steps
        if squares <= MOST_IN_HISTORY:
            self.events, self.sum_steps, self.sum_squares = self.events + 1, self.sum_steps + steps, squares


class AccountState(Struct, array_like=True):
    """An account's past: when its newest event occurred, its amounts, a tally per window, and whom it met.

    One as it is made anew is that of an account that nothing is known of.
    """

    newest_ms: int = 0
    history: History = field(default_factory=History)
    tallies: list[Tally] = field(default_factory=lambda: [Tally() for _ in WINDOWS])
    merchants: Seen = field(default_factory=Seen)
    countries: Seen = field(default_factory=Seen)


def fullest_state() -> AccountState:
    """Return a state that no other's bytes are longer than: all there is, and every number at its most."""
    latest = 2**32 - 1
    tallies = [
        Tally([latest] * window.buckets, [MOST_COUNTED] * window.buckets, [MOST_SUMMED] * window.buckets)
        for window in WINDOWS
    ]
    merchants, countries = (Seen([latest] * most, [latest] * most) for most in (MOST_MERCHANTS, MOST_COUNTRIES))
    history = History(MOST_IN_HISTORY, MOST_IN_HISTORY, MOST_IN_HISTORY)
    return AccountState(MOST_IN_HISTORY, history, tallies, merchants, countries)


encode_state: Final = msgspec.msgpack.Encoder().encode
decode_state: Final = msgspec.msgpack.Decoder(AccountState).decode
