"""What callers of a soak were answered: how many well, how soon, and what went wrong by its name."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.load.report import Table
from tests.load.socket_tally import times_of


@dataclass
class SoakTally:
    """The answers to one caller. `came_again` counts what its client saw to by itself: cut sockets, refused frames."""

    name: str
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    failed: Counter[str] = field(default_factory=Counter)
    came_again: Counter[str] = field(default_factory=Counter)


def merged(tallies: Iterable[SoakTally]) -> dict[str, SoakTally]:
    """Return what all callers of a name saw."""
    whole: dict[str, SoakTally] = {}
    for tally in tallies:
        sum_of = whole.setdefault(tally.name, SoakTally(tally.name))
        sum_of.latencies_s.extend(tally.latencies_s)
        sum_of.failed += tally.failed
        sum_of.came_again += tally.came_again
    return whole


def answers_table(tallies: Iterable[SoakTally], *, seconds: float, note: str) -> Table:
    """Return a row per kind of caller."""
    return Table(
        title="Soak: what callers were answered",
        columns=["", "good", "good/s", "p50 ms", "p99 ms", "p99.9 ms", "failed", "came again"],
        rows=[_row(tally, seconds) for tally in merged(tallies).values()],
        note=note,
    )


def troubles_table(tallies: Iterable[SoakTally], logged: Counter[str]) -> Table:
    """Return what went wrong, most often first, and what parts wrote to their logs as warnings and errors."""
    whole = Counter(logged)
    for tally in merged(tallies).values():
        for verb, counts in (("failed", tally.failed), ("came again", tally.came_again)):
            whole.update({f"{tally.name} {verb}: {why}": count for why, count in counts.items()})
    return Table(
        title="Soak: what went wrong",
        columns=["", "times"],
        rows=[[what, f"{count}"] for what, count in whole.most_common()] or [["nothing", "0"]],
        note="What callers saw, and all lines of logs that are warnings or errors, those of nginx and PostgreSQL among "
        "them; the logs are read while they are written, so that none is missing that was turned over since.",
    )


def _row(tally: SoakTally, seconds: float) -> list[str]:
    times, good = times_of(tally.latencies_s), len(tally.latencies_s)
    return [
        tally.name,
        f"{good}",
        f"{good / seconds:.1f}",
        *(f"{time:.1f}" for time in (times.p50, times.p99, times.p99_9)),
        f"{tally.failed.total()}",
        f"{tally.came_again.total()}",
    ]
