"""Nothing that went wrong in a soak is lost between its callers and the tables."""

from array import array
from collections import Counter

from tests.load.soak_tally import SoakTally, answers_table, troubles_table


def tally(name: str, *latencies_s: float, **failed: int) -> SoakTally:
    return SoakTally(name, latencies_s=array("d", latencies_s), failed=Counter(failed))


TALLIES = [tally("jobs", 2.0), tally("images", 0.001, 0.003, closed=1), tally("images", 0.002, closed=2, late=1)]


def test_callers_of_a_name_are_one_row() -> None:
    table = answers_table(TALLIES, seconds=2.0, note="")

    assert table.rows == [
        ["jobs", "1", "0.5", "2000.0", "2000.0", "2000.0", "0", "0"],
        ["images", "3", "1.5", "2.0", "3.0", "3.0", "4", "0"],
    ]


def test_troubles_are_named_and_counted_most_often_first() -> None:
    again = SoakTally("texts", came_again=Counter({"closed 1001": 2}))

    table = troubles_table([*TALLIES, again], Counter({"web logged error: internal": 5}))

    assert table.rows == [
        ["web logged error: internal", "5"],
        ["images failed: closed", "3"],
        ["texts came again: closed 1001", "2"],
        ["images failed: late", "1"],
    ]


def test_without_trouble_there_is_nothing_to_tell() -> None:
    assert troubles_table([tally("jobs", 1.0)], Counter()).rows == [["nothing", "0"]]
