"""Does a soak come up to what is wanted? A row per figure, with the worst that was seen."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tests.load.report import Table
from tests.load.soak_growth import MEGABYTE, Growth, growths, restarted
from tests.load.soak_samples import Life, Sample
from tests.load.soak_tally import SoakTally

MOST_GROWTH: Final = 1 * MEGABYTE
# None is to be kept, but connections come and go while they are counted. Of all processes of a kind together, since
# each new connection falls to any of them: of one alone the number wanders by several without a leak.
MOST_DESCRIPTORS: Final = 2.0
# What a full stack has at least; of a runner's kind its model is a part.
PARTS: Final = (
    "supervisor",
    "doorkeeper",
    "web master",
    "web worker",
    "runner",
    "controller",
    "celery",
    "nginx master",
    "nginx worker",
    "postgres",
    "redis, cache",
    "redis, state",
)
NOBODY: Final = "nobody was watched"
SO, NOT_SO = "yes", "no"


def verdict_table(
    lives: Mapping[Life, Sequence[Sample]],
    tallies: Iterable[SoakTally],
    logged: Counter[str],
    *,
    seconds: float,
    data_slopes: Mapping[str, float],
) -> Table:
    """Return what is wanted of answers, logs and processes, and the worst of each; it is not met with any "no".

    `data_slopes` are by how many bytes the data of a kind of process grows in ten minutes, which it is there to keep.
    """
    grown = growths(lives, seconds=seconds)
    failed = sum(tally.failed.total() for tally in tallies)
    errors = sum(count for what, count in logged.items() if " logged error" in what or " logged critical" in what)
    again = restarted(lives, seconds=seconds)
    missing = [part for part in PARTS if not any(_is_of(part, growth) for growth in grown)]
    rows = [
        _row("answers that failed", "0", failed, failed == 0),
        _row("errors in logs", "0", errors, errors == 0),
        _row("parts that were not watched to the end", "none", ", ".join(missing) or "none", not missing),
        _row("processes that ended, or were born", "none", _listed(again), not again),
        _memory(grown, data_slopes),
        _descriptors(grown),
    ]
    return Table(
        title="Soak: verdict",
        columns=["", "wanted", "worst", "is so"],
        rows=rows,
        note="Of processes: after the warm-up. Those of PostgreSQL's connections may come and go. No descriptor is to "
        "be kept: the slope that is allowed is the noise of connections that come and go. It is of all processes of a "
        "kind together, as each new connection falls to any of them. Of memory: without the data that Redis was given "
        "to keep, by its own count, and without the buffers that PostgreSQL's processes share.",
        is_met=all(row[-1] == SO for row in rows),
    )


def _memory(grown: Sequence[Growth], data_slopes: Mapping[str, float]) -> list[str]:
    slopes = [(growth.rss_slope - data_slopes.get(growth.kind, 0.0), growth.kind) for growth in grown]
    slope, kind = max(slopes, default=(0.0, NOBODY))
    worst = f"{slope / MEGABYTE:+.2f} ({kind})" if slopes else NOBODY
    is_so = bool(slopes) and slope < MOST_GROWTH
    return _row("RSS of any process, MB/10 min", "< 1", worst, is_so)


def _descriptors(grown: Sequence[Growth]) -> list[str]:
    more = defaultdict[str, float](float)
    for growth in grown:
        more[growth.kind] += growth.descriptor_slope
    kind = max(more, key=more.__getitem__, default=NOBODY)
    is_so = kind in more and more[kind] < MOST_DESCRIPTORS
    worst = f"{more[kind]:+.2f} ({kind})" if kind in more else kind
    return _row("descriptors of any kind, more in 10 min", f"< {MOST_DESCRIPTORS:g}", worst, is_so)


def _is_of(part: str, growth: Growth) -> bool:
    return growth.kind == part or growth.kind.startswith(f"{part} ")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} ({count})" for kind, count in sorted(counts.items())) or "none"


def _row(name: str, wanted: str, worst: object, is_so: bool) -> list[str]:
    return [name, wanted, f"{worst}", SO if is_so else NOT_SO]
