"""Reports of load that never ran, for checks of what is read from them."""

from typing import Any

from tests.load.own_generator import LoadReport, Times

NO_TIMES = Times(p50=0.0, p90=0.0, p99=0.0, p99_9=0.0, max=0.0)
COUNTS = [
    "offered",
    "sent",
    "good",
    "limited",
    "unavailable",
    "other",
    "first_other",
    "without_retry_after",
    "late",
    "lost",
    "given_up",
    "unreadable",
    "connection_errors",
    "hits",
    "misses",
    "bypasses",
]


def example_report(**changes: Any) -> LoadReport:
    """Return a report in which nothing happened for a second, with these changes."""
    usual = dict.fromkeys(COUNTS, 0) | {"seconds": 1.0, "cpu_s": 0.0, "good_in_second": (0,)}
    times = dict.fromkeys(("good_ms", "good_sent_ms", "refused_ms", "refused_sent_ms"), NO_TIMES)
    return LoadReport(**{**usual, **times, **changes})


def example_times(p50: float, p99: float) -> Times:
    """Return times with these two percentiles."""
    return Times(p50=p50, p90=p50, p99=p99, p99_9=p99, max=p99)
