"""NDJSON: whatever the file holds and however it is cut, its rows are its lines that are not blank."""

from codecs import BOM_UTF8, BOM_UTF16_LE
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import EmptyInput, InvalidInput
from app.scenarios.job_inputs import ChunkLimits
from tests.factories.job_inputs import contents, read_chunks, read_rows, remote_input, stored_input
from workers.batch.inputs.ndjson_input import NdjsonReader
from workers.batch.inputs.scanning import BLOCK_BYTES
from workers.batch.inputs.text import MOST_ROW_BYTES

LIMITS = st.builds(ChunkLimits, most_rows=st.integers(1, 5), most_bytes=st.integers(1, 30))
TEXTS = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"{}", b"\xff", b"\0", b'{"a": "\xc3\xa9"}'])).map(
    b"".join
)

AT_THE_LIMIT = [MOST_ROW_BYTES - 1, MOST_ROW_BYTES, MOST_ROW_BYTES + 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1]


def rows_of(data: bytes) -> list[object]:
    return contents(read_rows(NdjsonReader(remote_input(data))))


@given(data=TEXTS, limits=LIMITS, mark=st.sampled_from([b"", BOM_UTF8]))
def test_chunks_hold_the_lines_of_the_file(data: bytes, limits: ChunkLimits, mark: bytes) -> None:
    lines = [line.rstrip(b"\r\n") for line in data.split(b"\n") if line.strip()]
    reader = NdjsonReader(remote_input(mark + data))
    if not lines:
        with pytest.raises(EmptyInput):
            read_rows(reader, limits)
        return

    chunks = read_chunks(reader, limits)

    assert contents([row for chunk in chunks for row in chunk]) == lines
    assert all(len(chunk) <= limits.most_rows for chunk in chunks)


@settings(max_examples=20)
@given(sizes=st.lists(st.sampled_from([0, 1, *AT_THE_LIMIT]), max_size=3), is_last_open=st.booleans())
def test_blank_lines_of_any_length_are_told_alike(sizes: list[int], is_last_open: bool) -> None:
    data = b"1\n" + b"2\n".join(b" " * size + b"\n" for size in sizes)

    found = rows_of(data[:-1] if is_last_open else data)

    # As many as were planned, or `rows_of` had failed.
    assert [row for row in found if row != "row_too_large"] == [b"1"] + [b"2"] * (len(sizes) - 1)
    assert found.count("row_too_large") >= sum(size > MOST_ROW_BYTES for size in sizes)


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", BOM_UTF8, BOM_UTF8 + b"\n"])
def test_input_without_a_row_is_refused(data: bytes) -> None:
    with pytest.raises(EmptyInput, match="no row"):
        rows_of(data)


def test_wide_characters_are_told_apart() -> None:
    with pytest.raises(InvalidInput, match="UTF-16"):
        rows_of(BOM_UTF16_LE + "{}\n".encode("utf-16-le"))


@pytest.mark.parametrize("size", [MOST_ROW_BYTES, MOST_ROW_BYTES + 1, 10 * 2**20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_over_the_limit_is_a_bad_row(size: int, end: bytes) -> None:
    line = b"x" * size

    assert rows_of(b"1\n" + line + end + b"3\n" + line + b"x") == [b"1", "row_too_large", b"3", "row_too_large"]


def test_line_of_the_limit_is_a_row() -> None:
    line = b"x" * (MOST_ROW_BYTES - 1)

    assert rows_of(line + b"\n" + line) == [line, line]


def test_input_that_was_cut_off_since_is_refused(tmp_path: Path) -> None:
    reader = NdjsonReader(stored_input(tmp_path, b"1\n2\n3\n"))
    (draft,) = reader.plan(ChunkLimits(most_rows=10, most_bytes=100))
    stored_input(tmp_path, b"1\n2\n")

    with pytest.raises(InvalidInput, match="changed or cut off"):
        list(reader.rows(draft.place, draft.first_row))
