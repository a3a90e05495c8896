"""A process that makes hits of one limit: `python -m tests.factories.limit_process URL AMOUNT RATE SECONDS`.

Prints a JSON object: for each window it met, by the end of it in monotonic seconds, how many hits it made and how many
of them were within the limit.
"""

import sys
import time
from collections.abc import Iterator

import msgspec
import redis

from app.infra.rate_lease import LeasedWindows
from app.infra.rate_limit import FallbackWindows, RateLimit

WINDOW_S = 1
# Ends of one window differ by less between processes and answers; ends of two by a whole window.
SAME_END_S = 0.5
TICK_S = 0.01


class Tally(msgspec.Struct):
    """Hits of one window."""

    ends_at: float
    made: int = 0
    allowed: int = 0


def add_up(tallies: list[Tally]) -> list[Tally]:
    """Return one tally for each window, the earliest first."""
    windows: list[Tally] = []
    for tally in sorted(tallies, key=lambda one: one.ends_at):
        if not windows or tally.ends_at - windows[-1].ends_at > SAME_END_S:
            windows.append(Tally(tally.ends_at))
        windows[-1].made += tally.made
        windows[-1].allowed += tally.allowed
    return windows


def main() -> None:
    """Make hits at an even rate for as long as told."""
    url, amount, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    with redis.Redis.from_url(url) as client:
        leases = LeasedWindows(FallbackWindows(client), RateLimit(amount, WINDOW_S))
        tallies: list[Tally] = []
        for _ in _ticks(rate, seconds):
            asked_at = time.monotonic()
            window = leases.hit("client")
            ends_at = asked_at + window.reset_after_s
            if not tallies or ends_at - tallies[-1].ends_at > SAME_END_S:
                tallies.append(Tally(ends_at))
            tallies[-1].made += 1
            tallies[-1].allowed += window.count <= amount
    sys.stdout.write(msgspec.json.encode(tallies).decode())


def _ticks(rate: float, seconds: float) -> Iterator[None]:
    """Yield `rate` times a second; what a busy machine delays is made up for."""
    began, made = time.monotonic(), 0
    while (elapsed_s := time.monotonic() - began) < seconds:
        due = int(rate * elapsed_s)
        for _ in range(due - made):
            yield
        made = max(due, made)
        time.sleep(TICK_S)


if __name__ == "__main__":
    main()
