"""Reader of ratings files: `user::item::rating::time`, or CSV with a header, and the titles in the file beside them."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from app.errors import InputError
from workers.training.recommender_ratings import Ratings
from workers.training.tables import CSV_SUFFIX, BadLine, Table, open_table, quoted

RATINGS_FILES = ("ratings.dat", f"ratings{CSV_SUFFIX}")

# The names that MovieLens gives its columns come first.
_RATING_COLUMNS = {
    "user": ("userid", "user_id", "user"),
    "item": ("movieid", "movie_id", "itemid", "item_id", "item"),
    "rating": ("rating",),
    "time": ("timestamp", "time"),
}
_TITLE_COLUMNS = {"item": _RATING_COLUMNS["item"], "title": ("title", "name")}
_EVENT = np.dtype((np.int64, 3))
_INTEGERS = range(-(2**63), 2**63)


def read_ratings(path: Path) -> Ratings:
    """Read a ratings file, or the one in a folder, and the titles in `movies.dat` or `movies.csv` beside it.

    A line takes 24 bytes of memory while it is read: 25 million are 600 MB.

    :raises InputError: naming file and line of the first thing that is wrong.
    """
    file = _find(path)
    with open_table(file, _RATING_COLUMNS) as table:
        events = np.fromiter(_events(table), _EVENT)
    if not len(events):
        raise InputError(f"{file.name} holds no ratings.")

    users, items, times = np.ascontiguousarray(events.T)
    return Ratings.of(users, items, times, read_titles(file.with_name(f"movies{file.suffix}")))


def read_titles(path: Path) -> dict[int, str]:
    """Read titles by item id; without the file there are none.

    :raises InputError: naming file and line of the first thing that is wrong.
    """
    if not path.exists():
        return {}

    titles: dict[int, str] = {}
    with open_table(path, _TITLE_COLUMNS) as table:
        for number, fields in table.numbered():
            try:
                titles[_integer(table, fields, "item")] = table.pick(fields, "title").strip()
            except BadLine as err:
                raise table.refusal(number, err) from err
    return titles


def _find(path: Path) -> Path:
    if not path.is_dir():
        return path

    found = next((path / name for name in RATINGS_FILES if (path / name).is_file()), None)
    if found is None:
        raise InputError(f"There is neither {' nor '.join(RATINGS_FILES)} in '{path}'.")

    return found


def _events(table: Table) -> Iterator[tuple[int, int, int]]:
    """Yield user, item and time of each line."""
    for number, fields in table.numbered():
        try:
            if len(fields) != table.width:
                raise BadLine(f"there are {len(fields)} fields instead of {table.width}")
            _check_rating(table.pick(fields, "rating"))
            yield _integer(table, fields, "user"), _integer(table, fields, "item"), _integer(table, fields, "time")
        except BadLine as err:
            raise table.refusal(number, err) from err


def _integer(table: Table, fields: list[str], column: str) -> int:
    text = table.pick(fields, column)
    try:
        number = int(text)
    except ValueError as err:
        raise BadLine(f"the {column} {quoted(text)} is no integer") from err
    if number not in _INTEGERS:
        raise BadLine(f"the {column} {quoted(text)} does not fit 64 bits")

    return number


def _check_rating(text: str) -> None:
    """Check that a rating is one; how high it is goes unread."""
    try:
        is_number = math.isfinite(float(text))
    except ValueError:
        is_number = False
    if not is_number:
        raise BadLine(f"the rating {quoted(text)} is no number")
