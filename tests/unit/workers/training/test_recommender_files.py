"""Ratings files of both kinds are read alike, and what is wrong with one is told with its file and line."""

from pathlib import Path

import pytest

from app.errors import InputError
from tests.factories.ratings import write_lines
from workers.training.recommender_files import read_ratings, read_titles

DAT = ["7::10::8::1365029107", "9::0011::3.5::1366576639", "7::0011::10::1364690142"]
CSV = ["timestamp,userId,movieId,rating", *("{3},{0},{1},{2}".format(*line.split("::")) for line in DAT)]


@pytest.mark.parametrize(("suffix", "lines"), [("dat", DAT), ("csv", CSV)])
def test_a_folder_is_read_with_its_titles(tmp_path: Path, suffix: str, lines: list[str]) -> None:
    write_lines(tmp_path / f"ratings.{suffix}", lines)
    titles = ["11::Nord (2001)::Drama"] if suffix == "dat" else ["movieId,title,genres", "11,Nord (2001),Drama"]
    write_lines(tmp_path / f"movies.{suffix}", titles)
    ratings = read_ratings(tmp_path)

    assert ratings.user_ids.tolist() == [7, 9]
    assert ratings.item_ids.tolist() == [10, 11]
    assert ratings.users.tolist() == [0, 0, 1]
    assert ratings.items.tolist() == [1, 0, 1]
    assert ratings.times.tolist() == [1364690142, 1365029107, 1366576639]
    assert ratings.titles == {11: "Nord (2001)"}


def test_a_file_of_any_name_is_read_without_titles(tmp_path: Path) -> None:
    ratings = read_ratings(write_lines(tmp_path / "mine.dat", DAT))

    assert len(ratings) == 3
    assert ratings.titles == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1::2::3", "there are 3 fields instead of 4"),
        ("1::2::3::4::5", "there are 5 fields instead of 4"),
        ("1,2,3,4", "there are 1 fields instead of 4"),
        ("x::2::3::4", "the user 'x' is no integer"),
        ("1::2.5::3::4", "the item '2.5' is no integer"),
        ("1::2::good::4", "the rating 'good' is no number"),
        ("1::2::nan::4", "the rating 'nan' is no number"),
        ("1::2::3::2013-04-01", "the time '2013-04-01' is no integer"),
        ("9223372036854775808::2::3::4", "does not fit 64 bits"),
        ("\x00\x01\x02", "there are 1 fields instead of 4"),
    ],
)
def test_a_bad_line_is_told_with_its_file_and_number(tmp_path: Path, line: str, said: str) -> None:
    path = write_lines(tmp_path / "ratings.dat", [DAT[0], "", line, DAT[1]])

    with pytest.raises(InputError) as caught:
        read_ratings(path)

    assert caught.value.detail.startswith("ratings.dat, line 3: ")
    assert said in caught.value.detail


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ratings.dat"
    path.write_bytes(bytes(range(256)) * 8)

    with pytest.raises(InputError, match=r"ratings\.dat, line 1: "):
        read_ratings(path)


@pytest.mark.parametrize("lines", [[], [""], ["", ""]])
def test_an_empty_file_is_refused(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(InputError, match=r"ratings\.dat holds no ratings"):
        read_ratings(write_lines(tmp_path / "ratings.dat", lines))


def test_a_folder_without_ratings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither ratings\.dat nor ratings\.csv"):
        read_ratings(tmp_path)


def test_a_bad_title_is_told_with_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "movies.dat", ["1::Nord", "two::Süd"])

    with pytest.raises(InputError, match=r"movies\.dat, line 2: the item 'two' is no integer"):
        read_titles(path)
