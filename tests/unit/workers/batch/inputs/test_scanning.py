"""Rows are the same wherever the blocks end in which a file is gone through."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput
from workers.batch.inputs import scanning
from workers.batch.inputs.csv_records import find_records, read_records
from workers.batch.inputs.cutting import Span
from workers.batch.inputs.scanning import found_rows, positions, scan_rows

FILES = st.lists(st.sampled_from([b'"', b",", b"\n", b"\r\n", b"a", b'"x\n"', b"long long", b"\r"])).map(b"".join)


def read(file: io.BytesIO, start: int, count: int) -> list[Span]:
    return [(begin, end, end - begin) for begin, end, _ in read_records(file, start, count)]


@given(data=FILES, block_bytes=st.integers(1, 12))
def test_blocks_change_nothing(data: bytes, block_bytes: int) -> None:
    try:
        expected = read(io.BytesIO(data), 0, 0)
    except InvalidInput as err:
        with pytest.raises(InvalidInput, match=err.detail):
            scanned(data, block_bytes)
    else:
        assert scanned(data, block_bytes) == expected


def scanned(data: bytes, block_bytes: int) -> list[Span]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "BLOCK_BYTES", block_bytes)
        found = scan_rows(io.BytesIO(data), 0, find_records, lambda *place: iter(read(*place)))
        return [
            (int(start), int(end), int(size))
            for spans in found
            for start, end, size in zip(spans.starts, spans.ends, spans.sizes, strict=True)
        ]


def test_only_rows_are_found() -> None:
    found = found_rows(b"a\n \n b\n", positions(b"a\n \n b\n", b"\n") + 1, lambda line: not line.isspace())

    assert found is not None
    assert (found.starts.tolist(), found.ends.tolist(), found.reach) == ([0, 4], [2, 7], 7)
