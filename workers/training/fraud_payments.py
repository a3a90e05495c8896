"""Payments with what became of them: the one thing that the fraud model learns from, whatever they were read from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.scenarios.fraud_events import FraudEvent

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Payments:
    """Payments in the order of their times. `accounts` and `merchants` count in the lists of ids.

    So do `channels` and `countries` in lists of their own; -1 is one that nobody knows. A part has the lists of all.
    """

    times_ms: Integers
    accounts: Integers
    merchants: Integers
    amounts: Numbers
    is_fraud: Flags
    channels: Integers
    countries: Integers
    account_ids: Sequence[str]
    merchant_ids: Sequence[str]
    channel_names: Sequence[str] = field(default=())
    country_names: Sequence[str] = field(default=())

    def __len__(self) -> int:
        return len(self.times_ms)

    def taken(self, rows: Integers | slice) -> Self:
        """Return these payments only; they have to be in the order of their times."""
        return replace(
            self,
            times_ms=self.times_ms[rows],
            accounts=self.accounts[rows],
            merchants=self.merchants[rows],
            amounts=self.amounts[rows],
            is_fraud=self.is_fraud[rows],
            channels=self.channels[rows],
            countries=self.countries[rows],
        )

    def between(self, start_ms: float, stop_ms: float) -> slice:
        """Return where the payments from one time to before another stand."""
        start, stop = np.searchsorted(self.times_ms, [start_ms, stop_ms])
        return slice(int(start), int(stop))

    def events(self) -> Iterator[FraudEvent]:
        """Yield each payment as the server would get it."""
        # The last name is that of place -1.
        channels, countries = [*self.channel_names, None], [*self.country_names, None]
        columns = (self.accounts, self.merchants, self.amounts, self.times_ms, self.channels, self.countries)
        for number, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            account, merchant, amount, time_ms, channel, country = row
            yield FraudEvent(
                str(number),
                self.account_ids[account],
                self.merchant_ids[merchant],
                amount,
                time_ms,
                channels[channel],
                countries[country],
            )
