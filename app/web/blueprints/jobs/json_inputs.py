"""Inputs that come as JSON: their rows go to a file line by line, and are never all in memory as objects."""

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Raw, Struct

from app.errors import GalleyError, InvalidFields, UnreadableBody
from app.infra.disk import PIECE_BYTES, disk_errors
from app.scenarios.job_inputs import InputFormat
from app.web.blueprints.jobs.intake import StoredInput
from app.web.blueprints.jobs.requests import JobRequest, read_parameters

INPUTS: Final = "inputs"
LONGEST_FAULT: Final = 200
# To tell rows apart takes 50 ns and 64 bytes of each, in one call that holds the whole process.
MOST_VALUES: Final = 2**19

# How msgspec names the member that it stumbled over.
_PLACE: Final = re.compile(r"^(?P<fault>.*) - at `\$\.(?P<place>[\w.\[\]]+)`$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(?P<name>\w+)`")
_STRANGER: Final = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)


class _Body(Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    inputs: list[Raw]
    model: str | None = None
    version: str | int | None = None
    parameters: Raw = Raw(b"{}")


_decoder: Final = msgspec.json.Decoder(_Body)


def receive_json(body: bytes | bytearray, path: Path) -> tuple[JobRequest, StoredInput]:
    """Read a job from its body, and write its rows to a new file. Blocks for as long as that takes: call it off hubs.

    Rows are told apart and not taken apart: to make objects of one with a million members holds a process for a second.

    :raises UnreadableBody: when it is no JSON.
    :raises InvalidFields: naming what is wrong, or that there are no rows.
    :raises DiskFull: when the disk is.
    """
    asked = _decode(body)
    if not asked.inputs:
        raise InvalidFields({INPUTS: ["Send at least one row."]})

    version = None if asked.version is None else str(asked.version)
    parameters = read_parameters(bytes(asked.parameters))
    request = JobRequest(kind=asked.kind, model=asked.model, version=version, parameters=parameters)
    with disk_errors(), path.open("xb") as file:
        rows = _RowFile(file)
        for row in asked.inputs:
            rows.add(row)
        rows.finish()
    stored = StoredInput(
        path=path, input_format=InputFormat.NDJSON, sha256=rows.digest.hexdigest(), size_bytes=rows.size_bytes
    )
    return request, stored


class _RowFile:
    """Writes rows as lines of JSON, gathered to pieces."""

    def __init__(self, file: BinaryIO) -> None:
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self._file = file
        self._waiting = bytearray()

    def add(self, row: Raw) -> None:
        # In JSON line ends stand between values only, where a blank means the same.
        self._waiting += bytes(row).replace(b"\n", b" ").replace(b"\r", b" ")
        self._waiting += b"\n"
        if len(self._waiting) >= PIECE_BYTES:
            self._write_out()

    def finish(self) -> None:
        self._write_out()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_out(self) -> None:
        self._file.write(self._waiting)
        self.digest.update(self._waiting)
        self.size_bytes += len(self._waiting)
        self._waiting.clear()


def _decode(body: bytes | bytearray) -> _Body:
    if body.count(b",") > MOST_VALUES:
        raise InvalidFields({INPUTS: [f"Send at most {MOST_VALUES} values, or a file in a form."]})
    try:
        # Rows are not looked into, so that nothing else would find bytes that are no text.
        body.decode()
        return _decoder.decode(body)
    except msgspec.ValidationError as err:
        raise _refusal(str(err)) from err
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        raise UnreadableBody("The request body is not valid JSON.") from err


def _refusal(fault: str) -> GalleyError:
    if stranger := _STRANGER.search(fault):
        return InvalidFields({stranger["name"][:LONGEST_FAULT]: ["There is no such field."]})
    if missing := _MISSING.search(fault):
        return InvalidFields({missing["name"]: ["This field is missing."]})

    place = _PLACE.match(fault)
    if place is None:
        return InvalidFields({"body": ["Send a JSON object."]})
    field = place["place"].replace("[", ".").replace("]", "")
    return InvalidFields({field: [f"{place['fault'][:LONGEST_FAULT]}."]})
