"""Arrow's values as records: what JSON has, and bytes."""

import datetime as dt
import json
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from app.errors import UnreadableRow
from workers.batch.inputs.arrow_records import plain, records_of

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901)
CASES: list[tuple[pa.Array, list[Any]]] = [
    (pa.array([1, None, -(2**63)]), [1, None, -(2**63)]),
    (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
    (pa.array([True, None]), [True, None]),
    (pa.array([1.5, None, math.nan]), [1.5, None, None]),
    (pa.array([0.5], pa.float32()), [0.5]),
    (pa.array([0.5, math.nan], pa.float16()), [0.5, None]),
    (pa.array(["ä", None, ""]), ["ä", None, ""]),
    (pa.array([b"\xff"]), [b"\xff"]),
    (pa.array([MOMENT]), ["2026-01-02T03:04:05.678901Z"]),
    (pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin")), ["2026-01-02T03:04:05.678901Z"]),
    (pa.array([1_767_323_045_678_901_234], pa.timestamp("ns")), ["2026-01-02T03:04:05.678901Z"]),
    (pa.array([1_767_323_045_678_901_234], pa.timestamp("ns", "+02:00")), ["2026-01-02T03:04:05.678901Z"]),
    (pa.array([MOMENT.date()]), ["2026-01-02"]),
    (pa.array([MOMENT.time()]), ["03:04:05.678901"]),
    (pa.array([dt.timedelta(seconds=1.5)]), [1.5]),
    (
        pa.array([Decimal("12.50"), Decimal("3.00"), Decimal("0.1234567890123456789")]),
        [12.5, 3, "0.1234567890123456789"],
    ),
    (pa.array([[1.0, math.nan], None]), [[1.0, None], None]),
    (pa.array([{"a": MOMENT.date(), "b": [b"x"]}]), [{"a": "2026-01-02", "b": [b"x"]}]),
    (pa.array([None]), [None]),
]


@pytest.mark.parametrize(("column", "expected"), CASES, ids=lambda case: str(getattr(case, "type", "")))
def test_values_are_plain(column: pa.Array, expected: list[Any]) -> None:
    records = list(records_of(pa.RecordBatch.from_arrays([column], ["value"])))

    assert records == [{"value": value} for value in expected]
    json.dumps(records, allow_nan=False, default=bytes.hex)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([1.0, math.inf, 2.0]), "an infinite number"),
        (pa.array([0, 2**62, 1], pa.timestamp("s")), ""),
        (pa.array([[0.0], [math.inf], [1.0]]), "an infinite number"),
        (pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"c"]).buffers()), "utf-8"),
    ],
)
def test_cell_without_a_form_costs_its_row(column: pa.Array, told: str) -> None:
    first, bad, last = records_of(pa.RecordBatch.from_arrays([column, pa.array([1, 2, 3])], ["value", "other"]))

    assert isinstance(bad, UnreadableRow)
    assert bad.detail.startswith("Column 'value' holds a value that JSON has no form for: ")
    assert told in bad.detail
    assert isinstance(first, dict)
    assert isinstance(last, dict)


def test_records_have_all_columns_in_order() -> None:
    batch = pa.RecordBatch.from_pydict({"b": [1, 2], "a": ["x", "y"]})

    assert [list(record.items()) for record in records_of(batch)] == [  # type: ignore[union-attr]
        [("b", 1), ("a", "x")],
        [("b", 2), ("a", "y")],
    ]


def test_strange_values_have_no_form() -> None:
    with pytest.raises(ValueError, match="object"):
        plain(object())
