"""An input that is one row."""

from pathlib import Path

import pytest

from app.errors import EmptyInput
from tests.factories.job_inputs import contents, read_rows, stored_input
from workers.batch.inputs.raw_input import RawReader


def test_body_is_the_one_row(tmp_path: Path) -> None:
    assert contents(read_rows(RawReader(stored_input(tmp_path, b"\x89PNG\n"), 5))) == [b"\x89PNG\n"]


def test_body_over_the_limit_is_a_bad_row(tmp_path: Path) -> None:
    assert contents(read_rows(RawReader(stored_input(tmp_path, b"123456"), 5))) == ["row_too_large"]


def test_nothing_is_no_row(tmp_path: Path) -> None:
    with pytest.raises(EmptyInput):
        read_rows(RawReader(stored_input(tmp_path, b""), 5))
