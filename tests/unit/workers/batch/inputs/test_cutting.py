"""Chunks as runs of bytes: full by rows or by bytes, nothing lost between them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.scenarios.job_inputs import ChunkLimits
from workers.batch.inputs.cutting import Span, cut_spans, gather

SPANS: list[Span] = [(0, 10, 10), (10, 30, 20), (35, 40, 5), (40, 80, 40), (80, 81, 1)]


def cut(*, most_rows: int = 100, most_bytes: int = 1000) -> list[tuple[int, int, int, int]]:
    drafts = cut_spans(gather(SPANS), ChunkLimits(most_rows=most_rows, most_bytes=most_bytes))
    return [(draft.first_row, draft.row_count, draft.place["start"], draft.place["end"]) for draft in drafts]


def test_all_rows_that_fit_are_one_chunk() -> None:
    assert cut() == [(1, 5, 0, 81)]


def test_chunk_ends_with_the_most_rows() -> None:
    assert cut(most_rows=2) == [(1, 2, 0, 30), (3, 2, 35, 80), (5, 1, 80, 81)]


def test_chunk_ends_before_too_many_bytes() -> None:
    assert cut(most_bytes=35) == [(1, 3, 0, 40), (4, 1, 40, 80), (5, 1, 80, 81)]


def test_nothing_is_no_chunk() -> None:
    assert list(cut_spans([], ChunkLimits(most_rows=1, most_bytes=1))) == []


def test_place_says_what_else_is_known() -> None:
    (draft,) = cut_spans(gather([(0, 1, 1)]), ChunkLimits(most_rows=1, most_bytes=1), columns=["a"])

    assert draft.place == {"start": 0, "end": 1, "columns": ["a"]}


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    most_rows=st.integers(1, 5),
    most_bytes=st.integers(1, 20),
    split=st.integers(0, 12),
)
def test_chunks_are_as_full_as_they_may_be(sizes: list[int], most_rows: int, most_bytes: int, split: int) -> None:
    spans = [(sum(sizes[:number]), sum(sizes[: number + 1]), size) for number, size in enumerate(sizes)]
    limits = ChunkLimits(most_rows=most_rows, most_bytes=most_bytes)
    drafts = list(cut_spans([*gather(spans[:split]), *gather(spans[split:])], limits))

    chunks = [sizes[draft.first_row - 1 :][: draft.row_count] for draft in drafts]
    assert [size for chunk in chunks for size in chunk] == sizes
    assert all(len(chunk) == 1 or (len(chunk) <= most_rows and sum(chunk) <= most_bytes) for chunk in chunks)
    for chunk, following in pairwise(chunks):
        assert len(chunk) == most_rows or sum(chunk) + following[0] > most_bytes
