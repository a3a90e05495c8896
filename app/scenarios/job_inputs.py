"""What the input of a job may be: the formats of its rows, how they are cut into chunks, and a row that was read."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import GalleyError

# What one cell or member of a record may hold: as JSON has it, and bytes.
Record = Mapping[str, Any]


class InputFormat(enum.StrEnum):
    """How the rows of an input are written; RAW is one body of a single call, as it came."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ZIP = "zip"
    TAR = "tar"
    RAW = "raw"


@dataclass(frozen=True, kw_only=True)
class ChunkLimits:
    """How much one chunk may hold. A row that alone has more bytes than that is a chunk of its own."""

    most_rows: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of an input, counted from 1: a body of the single call, a record with names, or why it cannot be read.

    `name` is what the input calls it: the name of a picture in an archive.
    """

    number: int
    content: bytes | Record | GalleyError
    name: str = ""
