"""docs/benchmarks.md: sections that are written by machine, between text that is written by hand and stays.

A section stands between two comments that name it. Measuring a suite again replaces its section where it stands; a new
one comes last. Nothing outside the comments is touched.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.load.report import Table

OPENING = """# Benchmarks

`make bench` starts a stack of its own on an empty folder and measures over HTTP, with the load generator on the same
machine. Nothing here is a test: the figures move with the machine. What stands between `measured` and `end` in this
file's source is written by it, the rest by hand.
"""


class Unclosed(Exception):
    """A section of the document has a beginning and no end."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one suite measured, and a last line that says when, where and how."""

    name: str
    tables: Iterable[Table]
    footing: str = ""

    def markdown(self) -> str:
        """Return the section with its comments."""
        parts = [*(table.markdown() for table in self.tables), *([self.footing] if self.footing else [])]
        return "\n\n".join([_begin(self.name), *parts, _end(self.name)])


def merged(text: str, section: Section) -> str:
    """Return the document with this section replaced, or added; an empty text becomes a new document.

    :raises Unclosed: when the end of the section is missing, since then nobody knows what is written by hand.
    """
    text = text or OPENING
    if _begin(section.name) not in text:
        return f"{text.rstrip()}\n\n{section.markdown()}\n"
    if _end(section.name) not in text.partition(_begin(section.name))[2]:
        raise Unclosed(f"'{_begin(section.name)}' is not followed by '{_end(section.name)}'.")

    block = re.escape(_begin(section.name)) + ".*?" + re.escape(_end(section.name))
    return re.sub(block, lambda _: section.markdown(), text, count=1, flags=re.DOTALL)


def _begin(name: str) -> str:
    return f"<!-- measured: {name} -->"


def _end(name: str) -> str:
    return f"<!-- end: {name} -->"
