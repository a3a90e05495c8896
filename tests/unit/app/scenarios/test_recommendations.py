"""Rows for the runner: canonical bytes, and nothing out of range comes out of them."""

import msgspec
import pytest

from app.scenarios.recommendations import RankingRow, decode_row, encode_row, encode_rows

LARGEST = 2**63 - 1


@pytest.mark.parametrize("exclude", [[], [1], [-(2**63), 5, LARGEST], list(range(1000))])
def test_rows_of_several_users_are_those_of_each(exclude: list[int]) -> None:
    users = [0, -1, 127, 128, LARGEST, -(2**63)]

    rows = encode_rows(users, 1000, exclude)

    assert rows == [encode_row(RankingRow(user, 1000, exclude)) for user in users]
    assert [decode_row(row).user_id for row in rows] == users
    assert all(decode_row(row).exclude == exclude for row in rows)


@pytest.mark.parametrize(
    "row",
    [[1], [1, 0, []], [1, 1001, []], [LARGEST + 1, 1, []], [1, 1, [LARGEST + 1]], [1, 1, [0] * 1001], [1.5, 1, []]],
)
def test_rows_out_of_range_are_refused(row: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_row(msgspec.msgpack.encode(row))
