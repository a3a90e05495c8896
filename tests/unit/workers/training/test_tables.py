"""Both kinds of file give the same fields, whatever their encoding."""

from pathlib import Path

import pytest

from app.errors import InputError
from tests.factories.ratings import write_lines
from workers.training.tables import BadLine, open_table, quoted

COLUMNS = {"item": ("movieid", "item"), "title": ("title",)}


def read(path: Path) -> list[tuple[int, str, str]]:
    with open_table(path, COLUMNS) as table:
        return [
            (number, table.pick(fields, "item"), table.pick(fields, "title")) for number, fields in table.numbered()
        ]


def test_fields_are_found_by_place_or_by_header(tmp_path: Path) -> None:
    dat = write_lines(tmp_path / "a.dat", ["1::Up, and away::Drama", "", "2::Nord"])
    csv = write_lines(tmp_path / "a.csv", ["Title,genres,MovieId", '"Up, and away",Drama,1', "", "Nord,,2"])

    assert read(dat) == [(1, "1", "Up, and away"), (3, "2", "Nord")]
    assert read(csv) == [(2, "1", "Up, and away"), (4, "2", "Nord")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_titles_keep_their_letters(tmp_path: Path, encoding: str) -> None:
    path = write_lines(tmp_path / "a.dat", ["1::Amélie über Ålesund"], encoding=encoding)

    assert read(path) == [(1, "1", "Amélie über Ålesund")]


def test_a_line_that_ends_too_early_is_bad(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.dat", ["1"])

    with pytest.raises(BadLine, match="no title"):
        read(path)


def test_a_header_without_a_column_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", ["id,title", "1,x"])

    with pytest.raises(InputError, match=r"a\.csv, line 1: .* no column 'movieid' or 'item'"):
        read(path)


def test_csv_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", ["movieid,title", "1,x", f'2,"{"y" * 2**21}"'])

    with pytest.raises(InputError, match=r"a\.csv, line 3: "):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "a.dat")


def test_long_fields_are_quoted_in_part() -> None:
    assert quoted("abc") == "'abc'"
    assert len(quoted("x" * 1000)) < 50
