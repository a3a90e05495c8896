"""Records of CSV: found at once where quotes stand in order, and the same ones followed part by part."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from workers.batch.inputs.csv_records import find_records, read_records

BLOCKS = st.lists(st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"a", b'"x"', b'"x\n",', b"\r"])).map(b"".join)


@given(block=BLOCKS)
def test_records_that_are_found_are_those_that_are_read(block: bytes) -> None:
    found = find_records(block)
    if found is None:
        return

    read = [(start, end) for start, end, _ in read_records(io.BytesIO(block[: found.reach]), 0)]
    assert [*zip(found.starts.tolist(), found.ends.tolist(), strict=True)] == read


@pytest.mark.parametrize("block", [b"", b"a,b", b'a"b\n', b'"a"b"c\n', b"a\rb\n", b'"a\nb'])
def test_doubt_is_no_answer(block: bytes) -> None:
    assert find_records(block) is None


@pytest.mark.parametrize("block", [b'"a""b",c\n', b'"a\n,b"\r\n', b'"","",""\n', b'"""",""""\n', b'""\n'])
def test_quotes_in_order_are_no_doubt(block: bytes) -> None:
    found = find_records(block + b'"cut')

    assert found is not None
    assert (found.starts.tolist(), found.ends.tolist()) == ([0], [len(block)])


def test_record_over_several_lines_is_read_whole() -> None:
    data = b'1,"2\n3"\n\n4\n'

    assert [record for *_, record in read_records(io.BytesIO(data), 0)] == [b'1,"2\n3"\n', b"4\n"]


def test_row_of_an_open_quote_is_told() -> None:
    with pytest.raises(InvalidInput, match="begins in row 8 "):
        list(read_records(io.BytesIO(b'1\n"2'), 0, count=7))
