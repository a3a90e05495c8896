"""Tables: the same rows printed to the terminal and written as Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table; the first column is left-aligned, the others right. `note` stands below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    is_met: bool = True
    """Whether what was measured is as it is wanted, where something is."""

    def __str__(self) -> str:
        widths = [max(map(len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        lines = [self.title, rule, _line(self.columns, widths), rule, *(_line(row, widths) for row in self.rows)]
        return "\n".join([*lines, rule, *textwrap.wrap(self.note, max(len(rule), 80))])

    def markdown(self) -> str:
        """Return the table in Markdown, under a heading."""
        alignment = ["---", *["--:"] * (len(self.columns) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, alignment, *self.rows)]
        return "\n".join([f"## {self.title}", "", *lines, *(["", self.note] if self.note else [])])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0] + " " * (widths[0] - len(cells[0]))]
    padded += [" " * (width - len(cell)) + cell for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join(padded)
