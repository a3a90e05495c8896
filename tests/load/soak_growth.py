"""Does a process grow? The slope of the line through what it held, once caches and pools had filled."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.load.report import Table
from tests.load.soak_samples import Holding, Life, Sample

# Until then nothing is read from the samples.
WARM_SHARE = 0.25
# Of what is left, so much at either end says how many descriptors there were then.
END_SHARE = 0.2
MEGABYTE = 1e6
# PostgreSQL has a process for each connection; whoever else comes or goes after the warm-up was restarted.
COMING_AND_GOING = frozenset({"postgres"})
TEN_MINUTES_S = 600.0

Pick = Callable[[Holding], int]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One process from the end of the warm-up to the end of the soak: bytes, descriptors; slopes are in ten minutes."""

    kind: str
    rss_at_first: int
    rss_at_last: int
    rss_slope: float
    pss_slope: float
    descriptors_at_first: float
    descriptors_at_last: float
    descriptor_slope: float


def growths(lives: Mapping[Life, Sequence[Sample]], *, seconds: float) -> list[Growth]:
    """Return the growth of every process that was there from the end of the warm-up to the end."""
    begin = WARM_SHARE * seconds
    last = max((samples[-1].at for samples in lives.values()), default=0.0)
    steady = ([each for each in samples if each.at >= begin] for samples in lives.values() if is_old(samples, begin))
    return sorted((_growth(those) for those in steady if len(those) > 1 and those[-1].at == last), key=_kind)


def newcomers(lives: Mapping[Life, Sequence[Sample]], *, seconds: float) -> Counter[str]:
    """Return how many processes of each kind were born after the warm-up."""
    return Counter(samples[-1].kind for samples in lives.values() if not is_old(samples, WARM_SHARE * seconds))


def restarted(lives: Mapping[Life, Sequence[Sample]], *, seconds: float) -> Counter[str]:
    """Return of each kind that was there after the warm-up how many ended before the end, and how many were born."""
    begin = WARM_SHARE * seconds
    last = max((samples[-1].at for samples in lives.values()), default=0.0)
    steady = [samples for samples in lives.values() if is_old(samples, begin) and samples[-1].at >= begin]
    ended = Counter(samples[-1].kind for samples in steady if samples[-1].at < last)
    kinds = {samples[-1].kind for samples in steady} - COMING_AND_GOING
    changes = ended + newcomers(lives, seconds=seconds)
    return Counter({kind: count for kind, count in changes.items() if kind in kinds})


def is_old(samples: Sequence[Sample], begin: float) -> bool:
    """Say whether a process was there when the warm-up ended."""
    return samples[0].at < begin


def slope(samples: Sequence[Sample], pick: Pick) -> float:
    """Return by how much something grows in ten minutes, by least squares."""
    moments = [each.at / TEN_MINUTES_S for each in samples]
    return statistics.linear_regression(moments, [pick(each.holding) for each in samples]).slope


def growth_table(lives: Mapping[Life, Sequence[Sample]], *, seconds: float) -> Table:
    """Return a row per kind of process: of all that are of a kind, the one whose memory grew most."""
    rows = [_row(kind, list(those)) for kind, those in groupby(growths(lives, seconds=seconds), key=_kind)]
    born = newcomers(lives, seconds=seconds)
    told = ", ".join(f"{kind} ({count})" for kind, count in sorted(born.items())) or "none"
    return Table(
        title=f"Soak: what processes hold over {seconds:g} s",
        columns=[
            "process",
            "count",
            "RSS, MB",
            "at last",
            "RSS, MB/10 min",
            "PSS, MB/10 min",
            "descriptors",
            "at last",
            "descriptors/10 min",
        ],
        rows=rows,
        note="Of each kind the process whose resident memory grew most, and the descriptors of the one whose "
        f"number of them did. Slopes are of lines by least squares through samples after the first {WARM_SHARE:.0%}; "
        f"descriptors are medians of the first and the last {END_SHARE:.0%} of what follows. Processes born after the "
        f"warm-up, which are not in the table: {told}.",
    )


def _growth(samples: Sequence[Sample]) -> Growth:
    ends = max(1, round(END_SHARE * len(samples)))
    return Growth(
        kind=samples[-1].kind,
        rss_at_first=samples[0].holding.rss_bytes,
        rss_at_last=samples[-1].holding.rss_bytes,
        rss_slope=slope(samples, lambda holding: holding.rss_bytes),
        pss_slope=slope(samples, lambda holding: holding.pss_bytes),
        descriptors_at_first=_descriptors(samples[:ends]),
        descriptors_at_last=_descriptors(samples[-ends:]),
        descriptor_slope=slope(samples, lambda holding: holding.descriptors),
    )


def _descriptors(samples: Iterable[Sample]) -> float:
    return statistics.median(each.holding.descriptors for each in samples)


def _kind(growth: Growth) -> str:
    return growth.kind


def _row(kind: str, those: Sequence[Growth]) -> list[str]:
    fattest = max(those, key=lambda growth: growth.rss_slope)
    busiest = max(those, key=lambda growth: growth.descriptor_slope)
    return [
        kind,
        f"{len(those)}",
        *(f"{size / MEGABYTE:.1f}" for size in (fattest.rss_at_first, fattest.rss_at_last)),
        *(f"{size / MEGABYTE:+.2f}" for size in (fattest.rss_slope, max(one.pss_slope for one in those))),
        f"{busiest.descriptors_at_first:g}",
        f"{busiest.descriptors_at_last:g}",
        f"{busiest.descriptor_slope:+.2f}",
    ]
