"""Uploaded inputs: their format is told by the file's name, and its first bytes must not belie it."""

from pathlib import Path
from typing import Final

from app.errors import LONGEST_NAME, InvalidFields, InvalidName
from app.infra.job_files import INPUT
from app.infra.off_hub import off_hub
from app.scenarios.job_inputs import InputFormat

INPUT_PART: Final = "input"

SUFFIXES: Final = {
    ".ndjson": InputFormat.NDJSON,
    ".jsonl": InputFormat.NDJSON,
    ".csv": InputFormat.CSV,
    ".parquet": InputFormat.PARQUET,
    ".zip": InputFormat.ZIP,
    ".tar": InputFormat.TAR,
    ".tar.gz": InputFormat.TAR,
    ".tgz": InputFormat.TAR,
}

_HEAD_BYTES: Final = 512
_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
# A file of an archive, or the end of one that has none.
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_USTAR: Final = slice(257, 262)
_BINARY: Final = (_PARQUET, _GZIP, *_ZIP)


def stored_name(file_name: str) -> str:
    """Return under which name an uploaded input is received: it ends in the format.

    :raises InvalidName: when the name tells of no format.
    """
    name = file_name.lower()
    for suffix, input_format in SUFFIXES.items():
        if name.endswith(suffix):
            return f"{INPUT}.{input_format.value}"

    raise InvalidName(f"'{file_name[-LONGEST_NAME:]}' is no name of an input; it ends in {', '.join(SUFFIXES)}.")


def format_of(path: Path) -> InputFormat:
    """Return the format of an input that was received under its `stored_name`.

    :raises InvalidFields: when its bytes are of another one.
    """
    input_format = InputFormat(path.suffix[1:])
    head, tail = off_hub(_ends_of, path)
    if not _may_be(input_format, head, tail):
        raise InvalidFields({INPUT_PART: [f"The file's name says {input_format.value}, its bytes do not, or not all."]})

    return input_format


def _ends_of(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(max(0, path.stat().st_size - len(_PARQUET)))
        return head, file.read()


def _may_be(input_format: InputFormat, head: bytes, tail: bytes) -> bool:
    match input_format:
        case InputFormat.PARQUET:
            return head.startswith(_PARQUET) and tail == _PARQUET
        case InputFormat.ZIP:
            return head.startswith(_ZIP)
        case InputFormat.TAR:
            return head.startswith(_GZIP) or head[_USTAR] == b"ustar"
        case _:
            return not head.startswith(_BINARY) and b"\0" not in head
