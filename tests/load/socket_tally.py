"""What a load over sockets came to: answers with their times, and what went wrong by its name."""

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.load.own_generator import Times


@dataclass(frozen=True, kw_only=True)
class SocketTally:
    """Counts as they grow. `failed` and `retried` by error code; sockets that the server closed fail what they had."""

    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    failed: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class SocketReport:
    """One load: good answers, how long it took, and the CPU seconds of who made it. Times are from sending."""

    good: int
    failed: Mapping[str, int]
    retried: Mapping[str, int]
    seconds: float
    cpu_s: float
    times: Times

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.good / self.seconds

    @property
    def events(self) -> int:
        """All events that were sent, however they ended."""
        return self.good + sum(self.failed.values())


def report_of(tally: SocketTally, *, seconds: float, cpu_s: float) -> SocketReport:
    """Return the report of a load that is over."""
    return SocketReport(
        good=len(tally.latencies_s),
        failed=dict(tally.failed),
        retried=dict(tally.retried),
        seconds=seconds,
        cpu_s=cpu_s,
        times=times_of(tally.latencies_s),
    )


def times_of(latencies_s: Sequence[float]) -> Times:
    """Return percentiles in milliseconds: the smallest time that so many are not above."""
    rising = sorted(latencies_s) or [0.0]
    places = {name: math.ceil(share * len(rising)) - 1 for name, share in _SHARES.items()}
    return Times(**{name: 1000 * rising[place] for name, place in places.items()})


_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1.0}
