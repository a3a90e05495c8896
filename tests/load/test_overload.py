"""What is read from an overload is a share of the maximum that was found right before it."""

from tests.load.example_reports import example_report, example_times
from tests.load.overload import FIGURES, Run

OVERLOAD = Run(
    capacity=1000.0,
    concurrency=32,
    report=example_report(
        offered=30_000,
        good=8_500,
        late=17,
        limited=500,
        unavailable=20_990,
        lost=10,
        seconds=10.0,
        refused_ms=example_times(2.0, 18.0),
    ),
    after=example_report(good_in_second=(400, 950, 1000, 12)),
)


def test_figures_of_an_overload() -> None:
    figures = {name: format(pick(OVERLOAD), form) for name, pick, form in FIGURES}

    assert figures["offered/s"] == "3000"
    assert figures["goodput, of the maximum"] == "85%"
    assert figures["good: p99 ms from sending"] == f"{OVERLOAD.report.good_sent_ms.p99:.1f}"
    assert figures["refused/s"] == "2149"
    assert figures["refused: p99 ms"] == "18.0"
    assert figures["lost: no answer, or a broken connection"] == "10"
    assert figures["good/s in the 2nd second after"] == "950"
    assert figures["of the maximum"] == "95%"
    assert OVERLOAD.report.failed == 10
