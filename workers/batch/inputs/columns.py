"""The names of a table's columns, which become the names in its records."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from app.errors import InvalidInput

MOST_NAME_BYTES: Final = 2**16
"""The most bytes of all names together: each chunk of a table keeps them."""

_LONGEST_TOLD: Final = 64


def check_columns(columns: Sequence[str]) -> None:
    """Check that each column has a name of its own.

    :raises InvalidInput: otherwise.
    """
    if sum(len(name.encode()) for name in columns) > MOST_NAME_BYTES:
        raise InvalidInput(f"The names of the columns have more than {MOST_NAME_BYTES} bytes together.")
    unnamed = next((number for number, name in enumerate(columns, 1) if not name.strip()), None)
    if unnamed is not None:
        raise InvalidInput(f"Column {unnamed} has no name.")
    name, count = Counter(columns).most_common(1)[0]
    if count > 1:
        raise InvalidInput(f"Two columns are named '{name[:_LONGEST_TOLD]}'.")
