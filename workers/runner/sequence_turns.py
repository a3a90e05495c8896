"""Whose turn it is with a sequence, where several threads compute: one has its rows, and later ones wait for it."""

from collections.abc import Iterable

from workers.runner.calls import Row


class SequenceTurns:
    """Keeps the rows of each sequence in order. Used by one thread only, which hands rows out and takes them back.

    Rows of one sequence may go together, to one thread; more of them go when that thread has given it back.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Row]] = {}
        self._next: list[Row] = []

    @property
    def has_next(self) -> bool:
        """Whether rows waited for sequences that nobody has any more."""
        return bool(self._next)

    def take_next(self) -> list[Row]:
        """Remove and return those rows. They go before any others."""
        rows, self._next = self._next, []
        return self.begin(rows)

    def begin(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that one thread may have now; the others wait for those that have their sequences."""
        own: set[str] = set()
        free: list[Row] = []
        for row in rows:
            key = row.sequence.key if row.sequence is not None else None
            if key is None or key in own:
                free.append(row)
            elif key in self._waiting:
                self._waiting[key].append(row)
            else:
                self._waiting[key] = []
                own.add(key)
                free.append(row)
        return free

    def end(self, rows: Iterable[Row]) -> None:
        """Give the sequences of these rows back."""
        for row in rows:
            if row.sequence is not None:
                self._next += self._waiting.pop(row.sequence.key, ())
