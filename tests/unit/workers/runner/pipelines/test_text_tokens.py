"""Texts as byte tokens."""

import pytest
import torch
from torch import Tensor

from tests.factories.models import tensor
from workers.runner.pipelines.text_tokens import END, PADDING, to_tokens
from workers.runner.values import joined


def tokens(text: bytes, *, is_last: bool, datatype: str = "INT16") -> Tensor:
    return tensor(joined([to_tokens(text, is_last=is_last, datatype=datatype)]))


@pytest.mark.parametrize(("count", "length"), [(0, 16), (15, 16), (16, 16), (17, 32), (1000, 1024)])
def test_a_row_is_filled_up_to_a_power_of_two(count: int, length: int) -> None:
    assert tokens(b"\xff" * count, is_last=False).tolist() == [[255] * count + [PADDING] * (length - count)]


def test_the_end_is_behind_the_last_byte() -> None:
    row = tokens(b"\x00a", is_last=True, datatype="INT64")

    assert row.dtype == torch.int64
    assert row[0, :4].tolist() == [0, 97, END, PADDING]


def test_a_text_may_end_without_another_byte() -> None:
    assert tokens(b"", is_last=True)[0, :2].tolist() == [END, PADDING]
