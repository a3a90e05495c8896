"""Keys of metrics files: what they name, and what their files are for."""

import orjson
import pytest

from app.infra.metric_series import FileKind, Series, SeriesTable

COUNTS = FileKind("counter")


def key(labels: dict[str, str], text: str = "Rows.") -> bytes:
    """Return the key of a counter's entry."""
    return orjson.dumps(["rows", "rows_total", labels, text])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("counter_77.db", FileKind("counter", "sum")),
        ("histogram_folded.db", FileKind("histogram", "sum")),
        ("gauge_livesum_77.db", FileKind("gauge", "sum")),
        ("gauge_max_folded.db", FileKind("gauge", "max")),
        ("gauge_livemostrecent_77.db", FileKind("gauge", "mostrecent")),
    ],
)
def test_names_of_files_say_how_values_come_together(name: str, kind: FileKind) -> None:
    assert FileKind.of(name) == kind


def test_values_of_single_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="gauge_liveall_77"):
        FileKind.of("gauge_liveall_77.db")


def test_what_would_break_a_line_is_escaped() -> None:
    series = Series.of(key({"model": 'a"b\\c\nd', "code": "1"}, "One\\two\nthree."), COUNTS)

    assert series.line == 'rows_total{code="1",model="a\\"b\\\\c\\nd"} '
    assert series.head == "# HELP rows_total One\\\\two\\nthree.\n# TYPE rows_total counter\n"


def test_series_are_one_whatever_their_help() -> None:
    """Processes of two releases may run side by side."""
    table = SeriesTable()
    numbers = [table.number(COUNTS, key({"model": "a"}, text)) for text in ("Old.", "New.", "Old.")]

    assert numbers == [0, 0, 0]
    assert table.number(COUNTS, key({"model": "b"})) == 1
    assert [series.labels["model"] for series in table.all] == ["a", "b"]
