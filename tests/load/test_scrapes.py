"""A scrape that cannot be read, a count that falls and a label without bounds are found."""

import pytest

from tests.load.scrapes import MOST_VALUES, Scrapes

FIRST = """# HELP asked_total Requests.
# TYPE asked_total counter
asked_total{model="m",version="1"} 5.0
# HELP open Sockets.
# TYPE open gauge
open 7.0
"""


def test_what_goes_on_is_right() -> None:
    scrapes = Scrapes()

    assert scrapes.take(FIRST) == []
    assert scrapes.take(FIRST.replace("5.0", "6.0").replace("7.0", "0.0")) == []
    assert (scrapes.count, scrapes.series) == (2, 2)


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ('asked_total{model="m",version="1"} 4.0', "fell from 5 to 4"),
        ('asked_total{model="m",version="2"} 9.0', "fell from 5 to 0: it is gone"),
    ],
)
def test_a_count_that_falls_is_told_once(then: str, told: str) -> None:
    scrapes = Scrapes()
    scrapes.take(FIRST)
    second = FIRST.replace('asked_total{model="m",version="1"} 5.0', then)

    assert scrapes.take(second) == [f'asked_total{{model="m",version="1"}} {told}']
    assert scrapes.take(second) == []


def test_a_bucket_that_falls_is_told() -> None:
    text = '# HELP s S.\n# TYPE s histogram\ns_bucket{le="1"} 5\ns_bucket{le="+Inf"} 5\ns_count 5\ns_sum 2\n'
    scrapes = Scrapes()
    scrapes.take(text)

    assert scrapes.take(text.replace('s_bucket{le="1"} 5', 's_bucket{le="1"} 4')) == [
        's_bucket{le="1"} fell from 5 to 4'
    ]


def test_counts_of_what_was_deleted_may_go() -> None:
    scrapes = Scrapes(may_go=lambda labels: ("version", "1") in labels)
    scrapes.take(FIRST)

    assert scrapes.take(FIRST.replace('version="1"', 'version="2"')) == []


@pytest.mark.parametrize("text", ["asked_total{model=", "asked_total one", "<html>"])
def test_what_is_no_scrape_is_told(text: str) -> None:
    assert "cannot be read" in Scrapes().take(text)[0]


@pytest.mark.parametrize(("label", "most"), [("route", MOST_VALUES), ("version", 3)])
def test_labels_with_more_values_than_there_may_be(label: str, most: int) -> None:
    scrapes = Scrapes()
    head = "# HELP a_total A.\n# TYPE a_total counter\n"
    lines = [f'a_total{{{label}="{n}"}} 1\n' for n in range(most + 1)]

    scrapes.take(head + "".join(lines[:-1]))
    assert scrapes.unbounded(versions=2) == []
    scrapes.take(head + "".join(lines))
    assert [what.split()[1] for what in scrapes.unbounded(versions=2)] == [f"'{label}'"]
