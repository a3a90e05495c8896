"""The text of a scrape: metrics keep together, histograms add up from bucket to bucket."""

from app.infra.metric_series import FileKind, Series
from app.infra.metric_text import Layout

COUNTS, SECONDS = FileKind("counter"), FileKind("histogram")


def rows(model: str) -> Series:
    """Return a counter's series."""
    return Series(COUNTS, "rows", "Rows.", "rows_total", {"model": model})


def bucket(edge: str) -> Series:
    """Return a series of a histogram's."""
    return Series(SECONDS, "wait", "Waited.", "wait_bucket", {"le": edge, "model": "a"})


def test_series_of_a_metric_stand_together() -> None:
    series = (rows("a"), Series(FileKind("gauge"), "busy", "Busy.", "busy", {}), rows("b"))

    assert Layout(enumerate(series)).text([1.0, 0.5, 2.0]).decode() == (
        "# HELP rows_total Rows.\n# TYPE rows_total counter\n"
        'rows_total{model="a"} 1.0\nrows_total{model="b"} 2.0\n'
        "# HELP busy Busy.\n# TYPE busy gauge\nbusy 0.5\n"
    )


def test_buckets_add_up_in_the_order_of_their_edges() -> None:
    series = (bucket("10.0"), bucket("+Inf"), bucket("2.5"))

    text = Layout(enumerate(series)).text([4.0, 1.0, 2.0]).decode()

    assert text.splitlines()[2:] == [
        'wait_bucket{le="2.5",model="a"} 2.0',
        'wait_bucket{le="10.0",model="a"} 6.0',
        'wait_bucket{le="+Inf",model="a"} 7.0',
        'wait_count{model="a"} 7.0',
    ]
