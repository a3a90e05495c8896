"""The worst process, any error, and whatever was not watched decides on a soak."""

from collections import Counter

import pytest

from tests.load.report import Table
from tests.load.soak_samples import Holding, Life, Sample
from tests.load.soak_tally import SoakTally
from tests.load.soak_verdict import NOBODY, PARTS, verdict_table

SECONDS = 1200.0
MOMENTS = [60.0 * minute for minute in range(21)]


def life(kind: str, *, slope: float = 0.0, more: float = 0.0) -> list[Sample]:
    """Return samples of a process that grows by so many bytes, and descriptors, in ten minutes."""
    return [
        Sample(
            at=at,
            kind=kind,
            holding=Holding(rss_bytes=round(slope * at / 600), pss_bytes=0, descriptors=10 + round(more * at / 600)),
        )
        for at in MOMENTS
    ]


def verdict(*others: list[Sample], parts: tuple[str, ...] = PARTS, failed: int = 0, logged: str = "") -> Table:
    lives: dict[Life, list[Sample]] = {}
    for number, samples in enumerate([*map(life, parts), *others]):
        lives[number, 0.0] = samples
    tally = SoakTally("images", failed=Counter({"closed": failed}))
    return verdict_table(lives, [tally], Counter({logged: 1}), seconds=SECONDS, data_slopes={"redis, state": 3e6})


def test_a_good_soak() -> None:
    table = verdict(life("runner a/1", slope=0.9e6), logged="web logged warning: slow")

    assert {row[-1] for row in table.rows} == {"yes"}
    assert table.is_met


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (0, verdict(failed=1)),
        (1, verdict(logged="web logged error: bug")),
        (1, verdict(logged="nginx logged critical: bug")),
        (2, verdict(parts=PARTS[1:])),
        (3, verdict(life("web worker")[10:])),
        (3, verdict(life("web worker")[:10])),
        (4, verdict(life("web worker", slope=1.1e6))),
        (5, verdict(life("web worker", more=3))),
    ],
)
def test_any_no_is_one_of_the_whole(row: int, table: Table) -> None:
    assert [number for number, cells in enumerate(table.rows) if cells[-1] == "no"] == [row]
    assert not table.is_met


def test_connections_that_fall_to_another_process_of_a_kind_are_no_leak() -> None:
    assert verdict(life("web worker", more=5), life("web worker", more=-5)).is_met


def test_what_redis_is_there_to_keep_is_no_leak() -> None:
    parts = tuple(part for part in PARTS if part != "redis, state")

    assert verdict(life("redis, state", slope=3.9e6), parts=parts).is_met
    assert not verdict(life("redis, state", slope=4.1e6), parts=parts).is_met
    assert not verdict(life("redis, cache", slope=3.9e6), parts=parts).is_met


def test_a_soak_that_watched_nobody() -> None:
    table = verdict(parts=())

    assert [row[-1] for row in table.rows] == ["yes", "yes", "no", "yes", "no", "no"]
    assert [row[2] for row in table.rows[-2:]] == [NOBODY, NOBODY]
