"""Does the state of an account grow? Its bytes in Redis while one account pays a hundred thousand times."""

from collections.abc import Sequence
from dataclasses import dataclass

import redis

from tests.load.measure import Plan, Progress
from tests.load.redis_calls import used_bytes
from tests.load.report import Table
from tests.load.socket_load import Pace, fleet
from tests.load.socket_tally import SocketReport
from tests.load.stack import Stack
from tests.load.stream_payments import Payers
from tests.load.stream_servers import MODEL, galley

# A payment each 26 s is a hundred thousand in a month. More merchants and countries than are remembered.
PAYERS = Payers(accounts=1, merchants=10_000, countries=100, step_s=26.0)
IN_FLIGHT = 16
NAME = "growth"
STATE_KEYS = f"galley:state:{MODEL}:*:{NAME}-0"
SHARES = (0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True)
class Size:
    """What the account's state takes in Redis after so many events, and what all that Redis holds grew by."""

    events: int
    value_bytes: int
    key_bytes: int
    grown_bytes: int
    report: SocketReport


def growth_table(stack: Stack, plan: Plan, report: Progress) -> Table:
    """Let one account pay over one socket, and look at its state now and then."""
    server = galley(stack)
    with fleet(server.target) as sockets, redis.Redis.from_url(server.redis_url) as client:
        (socket,) = sockets.open([NAME], PAYERS)
        before = used_bytes(server.redis_url)
        sizes: list[Size] = []
        for goal in goals(plan.account_events):
            done = sizes[-1].events if sizes else 0
            driven = sockets.drive([socket], Pace(in_flight=IN_FLIGHT, count=goal - done))
            grown = used_bytes(server.redis_url) - before
            sizes.append(_size(client, goal, driven, grown))
            report(f"{goal} payments of one account")
    return _table(sizes)


def goals(events: int) -> list[int]:
    """Return after how many events to look: rising, the last is all."""
    return sorted({max(1, round(share * events)) for share in SHARES})


def _size(client: redis.Redis, events: int, report: SocketReport, grown: int) -> Size:
    (key,) = client.scan_iter(STATE_KEYS, count=10_000)
    return Size(
        events=events,
        value_bytes=client.strlen(key),
        key_bytes=client.memory_usage(key, samples=0) or 0,
        grown_bytes=grown,
        report=report,
    )


def _table(sizes: Sequence[Size]) -> Table:
    failed = sum(sum(size.report.failed.values()) for size in sizes)
    last = sizes[-1]
    return Table(
        title=f"Streams: the state of one account over {last.events} payments",
        columns=["payments", "state, bytes", "with its key, bytes", "Redis grew by, MB", "events/s"],
        rows=[
            [
                f"{size.events}",
                f"{size.value_bytes}",
                f"{size.key_bytes}",
                f"{size.grown_bytes / 1e6:.1f}",
                f"{size.report.rate:.0f}",
            ]
            for size in sizes
        ],
        note=f"STRLEN and MEMORY USAGE of its key. One socket, {IN_FLIGHT} in flight, a payment of the account's each "
        f"{PAYERS.step_s:g} s of its own time, at {PAYERS.merchants} merchants in {PAYERS.countries} countries: more "
        "than are remembered. What Redis grows by are the answers, which are kept for a day for whoever sends an event "
        f"again: {last.grown_bytes / last.events:.0f} bytes each. {failed} events failed.",
    )
