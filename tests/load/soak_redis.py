"""What a Redis holds while a soak goes on: data that is kept for its time is no leak, but it is memory."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import redis

from tests.load.report import Table
from tests.load.soak_growth import MEGABYTE, TEN_MINUTES_S, WARM_SHARE


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Keys and bytes of them at a moment, as Redis itself counts them; `at` is seconds since the soak began."""

    at: float
    keys: int
    data_bytes: int


def kept(url: str, *, at: float) -> Kept:
    """Ask a Redis what it keeps."""
    with redis.Redis.from_url(url) as client:
        return Kept(at=at, keys=client.dbsize(), data_bytes=int(client.info("memory")["used_memory"]))


def kept_table(looks: Mapping[str, Sequence[Kept]], *, seconds: float) -> Table:
    """Return a row per Redis: what it kept in the end, and by how much that grew after the warm-up."""
    return Table(
        title="Soak: what Redis keeps",
        columns=["", "keys", "data, MB", "data, MB/10 min"],
        rows=[_row(name, those, seconds) for name, those in looks.items()],
        note="By its own count (`used_memory`). Answers to payments are kept for a day, for whoever sends them "
        "again, and sessions for an hour: in twenty minutes nothing of these is forgotten.",
    )


def data_slope(looks: Sequence[Kept], *, seconds: float) -> float:
    """Return by how many bytes the data grew in ten minutes after the warm-up; nothing can be said of one look."""
    steady = [look for look in looks if look.at >= WARM_SHARE * seconds]
    if len(steady) < 2:
        return 0.0

    moments = [look.at / TEN_MINUTES_S for look in steady]
    return statistics.linear_regression(moments, [look.data_bytes for look in steady]).slope


def _row(name: str, those: Sequence[Kept], seconds: float) -> list[str]:
    last, growth = those[-1], data_slope(those, seconds=seconds)
    return [name, f"{last.keys}", f"{last.data_bytes / MEGABYTE:.1f}", f"{growth / MEGABYTE:+.2f}"]
