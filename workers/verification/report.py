"""What the limited process and the one that waits for it say to each other.

The order goes down as one command line argument. Reports come back through a pipe: four bytes of length, then msgpack.
The reading side takes them for hostile: a bounded number of bounded messages, each checked by its type.
"""

import os
import struct
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from app.errors import StoreError, UnloadableArtifact
from model_store.manifest import MOST_TENSORS, Measured, TensorSpec

LENGTH = struct.Struct("<I")
LONGEST_MESSAGE = 2**20
MOST_BYTES = 4 * 2**20


class Order(Struct, frozen=True, kw_only=True):
    """What the process is to do, and within which limits."""

    folder: str
    report_fd: int
    parent_pid: int
    memory_bytes: int
    cpu_s: float
    max_image_pixels: int


class Step(Struct, frozen=True, tag="step"):
    """What the process does next: said before it is done, so that a crash has a name."""

    name: Annotated[str, Meta(max_length=200)]


class Found(Struct, frozen=True, tag="found"):
    """The end of a verification that went well: what the model is, and how it ran."""

    inputs: Annotated[list[TensorSpec], Meta(min_length=1, max_length=MOST_TENSORS)]
    outputs: Annotated[list[TensorSpec], Meta(min_length=1, max_length=MOST_TENSORS)]
    max_batch_size: Annotated[int, Meta(ge=1, le=4096)]
    measured: Measured


class Failed(Struct, frozen=True, tag="failed"):
    """The end of a verification that found something wrong: an error's code and sentence."""

    code: Annotated[str, Meta(max_length=100)]
    detail: Annotated[str, Meta(max_length=10_000)]


Report = Step | Found | Failed
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Report).decode


class ReportWriter:
    """The limited process's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, report: Report) -> None:
        """Write one report."""
        data = _encode(report)
        view = memoryview(LENGTH.pack(len(data)) + data)
        while view:
            view = view[os.write(self._descriptor, view) :]


class ReportReader:
    """Takes bytes as they come and gives the reports that are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._received = 0

    def feed(self, data: bytes) -> list[Report]:
        """Return the reports that these bytes complete.

        :raises UnloadableArtifact: when they are none: then the model writes into the pipe.
        """
        self._received += len(data)
        self._buffer += data
        reports = []
        while len(self._buffer) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._buffer)
            if length > LONGEST_MESSAGE or self._received > MOST_BYTES:
                raise _nonsense()
            end = LENGTH.size + length
            if len(self._buffer) < end:
                break
            reports.append(_read(bytes(self._buffer[LENGTH.size : end])))
            del self._buffer[:end]
        return reports


def to_error(failed: Failed) -> StoreError:
    """Return the error that the other side raised; one of an unknown code is taken for an artifact that cannot load."""
    return _STORE_ERRORS.get(failed.code, UnloadableArtifact).said(failed.detail)


def _read(data: bytes) -> Report:
    try:
        report: Report = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise _nonsense() from err

    return report


def _nonsense() -> UnloadableArtifact:
    return UnloadableArtifact("The model wrote into the pipe of the process that verified it.")


_STORE_ERRORS: dict[str, type[StoreError]] = {kind.code: kind for kind in StoreError.__subclasses__()}
