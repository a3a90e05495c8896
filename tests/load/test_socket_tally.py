"""Times are told by percentile, and what failed stays beside what was good."""

from array import array
from collections import Counter

from tests.load.own_generator import Times
from tests.load.socket_tally import SocketTally, report_of, times_of


def test_percentile_is_the_smallest_time_that_so_many_are_not_above() -> None:
    assert times_of([number / 1000 for number in range(1000, 0, -1)]) == Times(
        p50=500.0, p90=900.0, p99=990.0, p99_9=999.0, max=1000.0
    )
    assert times_of([0.002]) == Times(p50=2.0, p90=2.0, p99=2.0, p99_9=2.0, max=2.0)


def test_without_answers_there_are_no_times() -> None:
    assert times_of([]).max == 0


def test_failures_are_no_good_answers() -> None:
    tally = SocketTally(
        latencies_s=array("d", [0.1] * 6), failed=Counter(broken=1, lost=2), retried=Counter(queue_full=7)
    )

    report = report_of(tally, seconds=2.0, cpu_s=0.5)

    assert (report.good, report.events, report.rate) == (6, 9, 3.0)
    assert (report.failed, report.retried) == ({"broken": 1, "lost": 2}, {"queue_full": 7})
