"""What each kind of process paid is a median, and a kind that paid nothing is left out."""

from tests.load.process_costs import process_costs_table


def test_costs_are_medians_of_each_way() -> None:
    ways = {
        "one": [{"redis": 0.1, "web worker": 1.0}, {"web worker": 3.0}, {"redis": 0.3, "web worker": 2.0}],
        "two": [{}],
    }

    table = process_costs_table(ways, title="Costs", each="event")

    assert table.columns == ["CPU ms/event", "one", "two"]
    assert table.rows == [["redis", "0.100", "0.000"], ["web worker", "2.000", "0.000"]]


def test_kinds_that_paid_nothing_are_left_out() -> None:
    table = process_costs_table({"way": [{"celery": 0.0004, "redis": 0.0005}]}, title="Costs")

    assert [row[0] for row in table.rows] == ["redis"]
