"""CSV: whatever the file holds and however it is cut, its rows are the records that the csv module reads."""

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_inputs import ROOMY, contents, read_chunks, read_rows, remote_input
from workers.batch.inputs import csv_input
from workers.batch.inputs.csv_input import CsvReader
from workers.batch.inputs.text import MOST_ROW_BYTES

LIMITS = st.builds(ChunkLimits, most_rows=st.integers(1, 4), most_bytes=st.integers(1, 20))
TEXTS = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", "é", " ", "\0", 'x,"y\n"'])).map("".join)
BAD = "unreadable_row"


def rows_of(data: bytes) -> list[object]:
    return contents(read_rows(CsvReader(remote_input(data))))


def reference(text: str) -> Iterator[object]:
    """Yield what the csv module reads from the lines, which end with LF, all at once."""
    reader = csv.reader(io.StringIO(text, newline="\n"))
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield BAD
        else:
            if fields:
                yield {"a": fields[0], "b": fields[1]} if len(fields) == 2 else BAD


def is_open(text: str) -> bool:
    """Say whether the text ends inside of quotes: then the module takes one more row for a part of the last one."""
    return len(list(reference(text))) == len(list(reference(f"{text}\n1,2\n")))


@given(text=TEXTS, limits=LIMITS, mark=st.sampled_from([b"", BOM_UTF8]))
@example(text='1,"2\n3"\n4,5', limits=ChunkLimits(most_rows=1, most_bytes=1), mark=BOM_UTF8)
@example(text='"', limits=ROOMY, mark=b"")
@example(text="\n", limits=ROOMY, mark=b"")
def test_chunks_hold_the_records_of_the_file(text: str, limits: ChunkLimits, mark: bytes) -> None:
    reader = CsvReader(remote_input(mark + b"a,b\n" + text.encode()))
    expected = list(reference(text))
    if is_open(text):
        with pytest.raises(InvalidInput, match="never closed"):
            read_rows(reader, limits)
    elif not expected:
        with pytest.raises(EmptyInput):
            read_rows(reader, limits)
    else:
        chunks = read_chunks(reader, limits)
        assert contents([row for chunk in chunks for row in chunk]) == expected
        assert all(len(chunk) <= limits.most_rows for chunk in chunks)


@pytest.mark.parametrize("data", [b"", b"\n\r\n", b"a,b", b"a,b\n", BOM_UTF8 + b"a,b\r\n\r\n"])
def test_input_without_a_row_is_refused(data: bytes) -> None:
    with pytest.raises(EmptyInput):
        rows_of(data)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"a,b,a", "Two columns are named 'a'"),
        (b"a,,b", "Column 2 has no name"),
        (b"a, ", "Column 2 has no name"),
        (b"a,\xff", "The header cannot be read: The row is not UTF-8: its byte 3"),
        (b'a,"b', "begins in the header is never closed"),
        (b"a" * 70_000, "more than 65536 bytes"),
        (b"a" * (MOST_ROW_BYTES + 1), "first line names the columns"),
        ("a,b".encode("utf-16"), "UTF-16"),
    ],
)
def test_header_that_names_no_columns_is_refused(header: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        rows_of(header + b"\n1,2\n")


def test_row_of_another_width_is_a_bad_one() -> None:
    rows = read_rows(CsvReader(remote_input(b"a,b\n1,2\n3\n4,5,6\n7,8\n")))

    assert contents(rows) == [{"a": "1", "b": "2"}, BAD, BAD, {"a": "7", "b": "8"}]
    assert str(rows[2].content) == "The row has 3 fields; the header has 2."


def test_bytes_that_are_no_text_cost_their_row_only() -> None:
    assert rows_of(b"a\nx\n\xff\ny\n") == [{"a": "x"}, BAD, {"a": "y"}]


def test_quote_that_is_never_closed_is_told_by_its_row() -> None:
    with pytest.raises(InvalidInput, match="begins in row 3 is never closed"):
        rows_of(b'a\n1\n2\n"3\n' + b"4\n" * 200_000)


@pytest.mark.parametrize(
    "field", [b'"' + b"xyz xyz xyz\n" * 2**17 + b'"', b"x" * 2**21, b'"' + b'""' * 2**20 + b'"', b'x"' * 2**20]
)
def test_row_over_the_limit_is_a_bad_one(field: bytes) -> None:
    assert rows_of(b"a,b\n1," + field + b'\n"2",3\n') == ["row_too_large", {"a": "2", "b": "3"}]


def test_row_of_the_limit_is_a_row() -> None:
    field = "x" * (MOST_ROW_BYTES - 1)

    assert rows_of(f"a\n{field}\ny\n".encode()) == [{"a": field}, {"a": "y"}]


@pytest.mark.parametrize("filler", [b",", b'"",', b'"', b'""', b'a"b,', b'"%s\n",' % (300 * b"a")])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_piece_may_end_anywhere_in_a_record(filler: bytes, before: int, wide_fields: None) -> None:
    """Of a record that is longer than what is read at once."""
    record = b"x" * before + b'",' + filler * (MOST_ROW_BYTES // len(filler) + before)
    text = (record + b"\n3,4\n").decode()

    reader = CsvReader(remote_input(b"a,b\n" + text.encode()))
    if is_open(text):
        with pytest.raises(InvalidInput, match="is never closed"):
            read_rows(reader)
    else:
        rows = contents(read_rows(reader))
        assert rows[0] == "row_too_large"
        assert len(rows) == len(list(reference(text)))


@pytest.fixture
def wide_fields() -> Iterator[None]:
    """Let the module read what is longer than a row may be."""
    limit = csv.field_size_limit(2**30)
    yield
    csv.field_size_limit(limit)


@pytest.mark.parametrize("held_bytes", [0, 2**24])
def test_chunk_is_the_same_looked_at_whole_or_followed_line_by_line(
    monkeypatch: pytest.MonkeyPatch, held_bytes: int
) -> None:
    monkeypatch.setattr(csv_input, "_MOST_HELD_BYTES", held_bytes)
    long = b"x" * (MOST_ROW_BYTES + 1)
    data = b'a,b\n1,"two\nlines"\n\r\n"""3""",4\r\n5,"%s"\n%s\n6,"\n\n,"\n7,8\n' % (long, long)

    good = [{"a": "1", "b": "two\nlines"}, {"a": '"3"', "b": "4"}]
    assert rows_of(data) == [*good, "row_too_large", "row_too_large", {"a": "6", "b": "\n\n,"}, {"a": "7", "b": "8"}]


def test_chunk_of_short_lines_in_quotes_is_not_followed_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = CsvReader(remote_input(b"a\n" + b'"%s"\n' % (b"line\n" * 1000) * 10))
    (draft,) = reader.plan(ROOMY)
    monkeypatch.setattr(csv_input, "read_records", None)

    assert [row.content for row in reader.rows(draft.place, 1)] == [{"a": "line\n" * 1000}] * 10
