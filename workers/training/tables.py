"""Reader of training data in lines and fields: CSV with a header, or `::` between fields, as MovieLens has them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.errors import InputError

CSV_SUFFIX = ".csv"

# The csv module's own limit, 128 KiB, is less than a text may have. It is one for the whole process: whoever else reads
# CSV sets the same.
csv.field_size_limit(2**20)

_SEPARATOR = "::"
_LONGEST_QUOTE = 40


class BadLine(ValueError):
    """What is wrong with one line, in words that follow its number."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """An open file: its lines in fields, the number of the first of them, and at which place each column stands."""

    name: str
    lines: Iterator[list[str]]
    first: int
    places: Mapping[str, int]
    width: int

    def pick(self, fields: Sequence[str], column: str) -> str:
        """Return a line's field of that column.

        :raises BadLine: when the line is too short.
        """
        place = self.places[column]
        if place >= len(fields):
            raise BadLine(f"there is no {column}, the line has too few fields: {len(fields)}")

        return fields[place]

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each line that is not blank with its number.

        :raises InputError: when a line is none that CSV has.
        """
        number = self.first - 1
        try:
            for number, fields in enumerate(self.lines, self.first):
                if any(fields):
                    yield number, fields
        except csv.Error as err:
            raise InputError(f"{self.name}, line {number + 1}: {err}.") from err

    def refusal(self, number: int, err: BadLine) -> InputError:
        """Return the error that names this file and the line."""
        return InputError(f"{self.name}, line {number}: {err}.")


@contextmanager
def open_table(
    path: Path, columns: Mapping[str, Sequence[str]], *, optional: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Table]:
    """Open a file; `columns` are in the order that `::` files have them, each with its names in a header of CSV.

    A header may lack the `optional` ones, which have no place then; `::` files have none of them.

    :raises InputError: when the file cannot be read, or lacks a column.
    """
    try:
        file = io.TextIOWrapper(path.open("rb"), encoding=_encoding(path), errors="replace", newline="")
    except OSError as err:
        raise InputError(f"'{path}' cannot be read: {err.strerror}.") from err

    with file:
        yield (
            _csv_table(path.name, file, columns, optional or {})
            if path.suffix == CSV_SUFFIX
            else _dat_table(path.name, file, columns)
        )


def quoted(text: str) -> str:
    """Return a field as an error shows it: in quotes, and not all of a long one."""
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def _encoding(path: Path) -> str:
    """Return UTF-8, or Latin-1, in which MovieLens wrote its first titles, where the file is no UTF-8."""
    try:
        with path.open(encoding="utf-8") as file:
            for _ in iter(lambda: file.read(2**20), ""):
                pass
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _dat_table(name: str, file: io.TextIOBase, columns: Mapping[str, Sequence[str]]) -> Table:
    lines = (line.rstrip("\r\n").split(_SEPARATOR) for line in file)
    places = {column: place for place, column in enumerate(columns)}
    return Table(name=name, lines=lines, first=1, places=places, width=len(places))


def _csv_table(
    name: str, file: io.TextIOBase, columns: Mapping[str, Sequence[str]], optional: Mapping[str, Sequence[str]]
) -> Table:
    lines = csv.reader(file)
    header = next(lines, [])
    known = {title.strip().lower(): place for place, title in enumerate(header)}
    places = {}
    for column, titles in {**columns, **optional}.items():
        found = next((known[title] for title in titles if title in known), None)
        if found is None and column in optional:
            continue
        if found is None:
            raise InputError(f"{name}, line 1: the header has no column {' or '.join(map(repr, titles))}.")
        places[column] = found
    return Table(name=name, lines=lines, first=2, places=places, width=len(header))
