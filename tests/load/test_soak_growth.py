"""Growth is the slope after the warm-up, of every process that was there all the while; later ones are told apart."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.load.soak_growth import growth_table, growths, newcomers, restarted
from tests.load.soak_samples import Holding, Life, Sample

MB = 10**6
SECONDS = 1200.0


def life(
    kind: str, rss: Callable[[float], float], *, since: float = 0, until: float = SECONDS, extra: int = 0
) -> list[Sample]:
    """Return a process's samples, one each minute; after 800 s it has so many `extra` descriptors."""
    moments = [60.0 * minute for minute in range(21) if since <= 60 * minute <= until]
    return [
        Sample(
            at=at,
            kind=kind,
            holding=Holding(
                rss_bytes=round(rss(at)), pss_bytes=round(rss(at) / 2), descriptors=10 + extra * (at > 800)
            ),
        )
        for at in moments
    ]


def lives(*samples: list[Sample]) -> dict[Life, list[Sample]]:
    return {(number, 0.0): each for number, each in enumerate(samples)}


def test_slope_is_bytes_in_ten_minutes_after_the_warm_up() -> None:
    # It fills its caches for 300 s, by 100 MB, then grows by 2 MB in ten minutes.
    filling = life("web worker", lambda at: 100 * MB * min(1.0, at / 300) + 2 * MB * max(0.0, at - 300) / 600)

    (growth,) = growths(lives(filling), seconds=SECONDS)

    assert growth.rss_slope == pytest.approx(2 * MB, rel=1e-3)
    assert growth.pss_slope == pytest.approx(1 * MB, rel=1e-3)
    assert (growth.rss_at_first, growth.rss_at_last) == (100 * MB, 103 * MB)


def test_descriptors_are_told_from_both_ends() -> None:
    (growth,) = growths(lives(life("web worker", lambda _: MB, extra=3)), seconds=SECONDS)

    assert (growth.descriptors_at_first, growth.descriptors_at_last) == (10, 13)
    assert 1 < growth.descriptor_slope < 3


def test_only_who_was_there_all_the_while_has_a_slope() -> None:
    seen = lives(
        life("controller", lambda _: MB),
        life("celery", lambda _: MB, since=600),
        life("celery", lambda _: MB, since=900),
        life("postgres", lambda _: MB, until=600),
    )

    assert [growth.kind for growth in growths(seen, seconds=SECONDS)] == ["controller"]
    assert newcomers(seen, seconds=SECONDS) == Counter({"celery": 2})


def test_whoever_ends_or_is_born_after_the_warm_up_was_restarted() -> None:
    seen = lives(
        life("web worker", lambda _: MB, until=600),
        life("web worker", lambda _: MB, since=660),
        life("celery", lambda _: MB, until=120),
        life("celery", lambda _: MB, since=180),
        life("postgres", lambda _: MB),
        life("postgres", lambda _: MB, since=600),
        life("other", lambda _: MB, since=600, until=600),
    )

    assert restarted(seen, seconds=SECONDS) == Counter({"web worker": 2})


def test_of_a_kind_the_worst_is_shown() -> None:
    table = growth_table(
        lives(
            life("runner a/1", lambda _: 9 * MB, extra=2),
            life("runner a/1", lambda at: 5 * MB + MB * at / 600),
            life("celery", lambda _: MB, since=600),
        ),
        seconds=SECONDS,
    )

    assert table.rows == [["runner a/1", "2", "5.5", "7.0", "+1.00", "+0.50", "10", "12", "+1.85"]]
    assert table.note.endswith("not in the table: celery (1).")
