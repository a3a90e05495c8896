"""Tables as the input of jobs: which columns there may be, and cells as JSON."""

from collections.abc import Collection
from typing import Any, Final

import msgspec

from app.errors import LONGEST_NAME, MOST_UNKNOWN, InvalidInput
from app.scenarios.job_inputs import Record

_read_json: Final = msgspec.json.Decoder(msgspec.Raw).decode
_NO_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


def check_columns(
    columns: Collection[str], *, known: Collection[str], needed: Collection[str] = (), any_of: Collection[str] = ()
) -> None:
    """Check that a table has all `needed` columns, one of `any_of` if there are any, and none that is not `known`.

    What is not known means nothing: its name may be mistyped.

    :raises InvalidInput: when it is not so.
    """
    unknown = [column[:LONGEST_NAME] for column in columns if column not in known][:MOST_UNKNOWN]
    if unknown:
        raise InvalidInput(f"Columns of the table mean nothing: {_quoted(unknown)}; there are {_quoted(known)}.")
    missing = [column for column in needed if column not in columns]
    if missing:
        raise InvalidInput(f"The table has no column {_quoted(missing)}.")
    if any_of and not any(column in any_of for column in columns):
        raise InvalidInput(f"The table has no column {' or '.join(map(repr, any_of))}.")


def present(record: Record) -> Record:
    """Return the cells of a record that hold something: neither nothing nor an empty text."""
    return {column: cell for column, cell in record.items() if cell is not None and cell != ""}


def as_json(cell: Any) -> Any:
    """Return a cell as it is to stand in JSON: text that is JSON itself, as in a table of text only, is not quoted."""
    if type(cell) is not str:
        return cell

    try:
        return _read_json(cell)
    except _NO_JSON:
        return cell


def textual(cell: Any) -> Any:
    """Return a cell as it is to stand where JSON has a text: bytes are none, and would become one of base64."""
    return None if isinstance(cell, bytes) else cell


def _quoted(names: Collection[str]) -> str:
    return ", ".join(map(repr, names))
