"""Tables: the same rows printed to the terminal and written as Markdown."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """A titled table; the first column is left-aligned, the others right. `note` stands below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

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


def document(tables: Iterable[Table], *, command: str, facts: dict[str, str]) -> str:
    """Return docs/benchmarks.md: how it was made, on what, and the tables."""
    opening = [
        "# Benchmarks",
        "",
        f"Written by `{command}`, which starts a stack of its own on an empty folder, publishes models with random",
        "weights, and measures over HTTP with the load generator on the same machine. Nothing here is a test: the",
        "figures move with the machine.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
    ]
    return "\n\n".join(["\n".join(opening), *(table.markdown() for table in tables)]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0] + " " * (widths[0] - len(cells[0]))]
    padded += [" " * (width - len(cell)) + cell for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join(padded)
