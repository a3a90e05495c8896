"""Figures of streams are medians, failures are sums with their names, and sockets' shares are told from differences."""

from array import array
from collections import Counter

import pytest

from tests.load.measure import Observed
from tests.load.socket_tally import SocketTally, report_of
from tests.load.stream_growth import goals
from tests.load.stream_idle import Held, IdleRun
from tests.load.stream_rates import ratio, way
from tests.load.stream_runs import FIGURES, StreamRun, figures_table, names
from tests.load.stream_servers import GALLEY, PLAIN
from tests.load.surroundings import Elsewhere


def run(*, good: int = 1000, p99: float = 8.0, **failed: int) -> StreamRun:
    times = [0.002] * (good - good // 20) + [p99 / 1000] * (good // 20)
    tally = SocketTally(latencies_s=array("d", times), failed=Counter(failed), retried=Counter(queue_full=1))
    report = report_of(tally, seconds=2.0, cpu_s=0.02 * good / 1000)
    cpu_s = {"web worker": good / 1000, "runner fraud/1": good / 2000}
    elsewhere = Elsewhere(load_average=0.0, others=0.125, stolen=0.0)
    return StreamRun(observed=Observed(result=report, cpu_s=cpu_s, elsewhere=elsewhere), redis_reads=good // 2)


def test_figures_are_medians_and_failures_sums() -> None:
    runs = [run(good=1000, p99=4.0), run(good=3000, p99=100.0, closed=2), run(good=2000, broken=4)]
    table = figures_table({"way": runs}, title="", note="Medians.")

    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "": "way",
        "events/s": "1000",
        "p50 ms": "2.0",
        "p99 ms": "8.0",
        "p99.9 ms": "8.0",
        "CPU ms/event": "1.50",
        "generator's": "0.020",
        "Redis trips/event": "0.50",
        "others' CPU": "12.5%",
        "sent again": "3",
        "failed": "6",
    }
    assert len(table.columns) == len(FIGURES) + 1
    told = "What failed or was sent again: way: broken (4), way: queue_full (3), way: closed (2)."
    assert table.note == f"Medians. {told}"


def test_cpu_is_of_the_whole_server_or_of_a_kind() -> None:
    assert [run().cpu_ms(kind) for kind in ("", "web", "runner")] == [1.5, 1.0, 0.5]


def test_rate_is_held_against_plain_flask() -> None:
    rates = {GALLEY: 3000, PLAIN: 6000}
    ways = {way(name, 8): [run(good=good)] for name, good in rates.items()}

    assert ratio(ways, 8) == 0.5


def test_each_run_has_accounts_of_its_own() -> None:
    assert list(names("a", 2)) == ["a-0", "a-1"]


def test_an_idle_socket_takes_what_was_added() -> None:
    before, after = Held(pss=10_000, rss=20_000, redis=0), Held(pss=110_000, rss=70_000, redis=1000)
    idle = IdleRun(sockets=2, before=before, after=after, alone=run(p99=10.0), beside=run(p99=15.0))

    assert [idle.kilobytes(part) for part in ("pss", "rss", "redis")] == [50.0, 25.0, 0.5]
    assert idle.ratio == 1.5


@pytest.mark.parametrize(("events", "first"), [(100_000, [10, 100, 1000, 10_000]), (4, [1, 2, 3, 4])])
def test_state_is_looked_at_until_all_events_are_sent(events: int, first: list[int]) -> None:
    found = goals(events)

    assert (found[:4], found[-1]) == (first, events)
