"""Lines of text files of any size, of which no more than one piece is ever held."""

import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

from app.errors import InvalidInput

MOST_ROW_BYTES: Final = 2**20
"""The most bytes of one row that is text, its line end included: longer ones are bad rows."""

LineReader = Callable[[int], bytes]
"""Reads up to the end of a line, or as many bytes; nothing at the end of the file."""

_BUFFER_BYTES: Final = 2**20


@contextmanager
def line_reader(file: BinaryIO) -> Iterator[LineReader]:
    """Give what reads the lines of `file` from where it stands; afterwards it stands anywhere.

    Buffered here, whatever opened the file: a remote file system's own `readline` seeks back and forth.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", file), _BUFFER_BYTES)
    try:
        yield buffered.readline
    finally:
        # Who opened the file closes it.
        buffered.detach()


def skip_mark(file: BinaryIO) -> int:
    """Go behind the byte order mark of a file that stands at its start, if it has one; return the byte it stands at.

    :raises InvalidInput: for the mark of UTF-16 or UTF-32.
    """
    head = file.read(len(BOM_UTF8))
    if head.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        raise InvalidInput("The input is text in UTF-16; send UTF-8.")

    start = len(BOM_UTF8) if head == BOM_UTF8 else 0
    file.seek(start)
    return start
