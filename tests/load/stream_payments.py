"""Made-up payments for streams: of some accounts in turn as they fall, rising in time, the same for the same seed."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)
CHANNELS: Final = (b"pos", b"atm", b"online")


class Payment(NamedTuple):
    """One event: its id, and the whole of it as JSON."""

    event_id: str
    event: bytes


@dataclass(frozen=True, kw_only=True)
class Payers:
    """Who pays whom, how often: a payment each `step_s`, by one of the accounts at one of the merchants.

    A merchant is in one country; the demo model knows merchants 1 to 1200.
    """

    accounts: int = 20
    merchants: int = 1_200
    countries: int = 4
    step_s: float = 360.0


class Payments:
    """The payments of one socket, without end; of another `name` are other accounts."""

    def __init__(self, name: str, payers: Payers) -> None:
        self._name = name
        self._payers = payers
        self._random = random.Random(name).random
        self._count = 0

    def __next__(self) -> Payment:
        """Return the next one."""
        payers, chance = self._payers, self._random
        self._count += 1
        merchant = int(chance() * payers.merchants) + 1
        event_id = f"{self._name}-{self._count}"
        occurred_at = BEGIN + timedelta(seconds=self._count * payers.step_s)
        event = (
            b'{"event_id":"%b","account_id":"%b-%d","merchant_id":"%d","amount":%.2f,"currency":"EUR",'
            b'"occurred_at":"%b","channel":"%b","country":"C%d"}'
        ) % (
            event_id.encode(),
            self._name.encode(),
            int(chance() * payers.accounts),
            merchant,
            100 * chance(),
            occurred_at.isoformat().encode(),
            CHANNELS[merchant % len(CHANNELS)],
            merchant % payers.countries,
        )
        return Payment(event_id, event)
