"""The elements of a tensor, out of JSON or bytes and back: strict about types, ranges and counts.

Numbers are numpy arrays, BYTES are lists of bytes. BF16, which numpy lacks, is held as float32: each of its values has
an exact one.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidTensor
from app.scenarios.tensor_envelope import shown
from model_store.signature import numpy_dtype

Elements = NDArray[Any] | list[bytes]

MAX_DEPTH = 100
# Numbers are decoded in pieces of so many bytes: a decoder holds the interpreter, and Python's numbers take ten times
# the room of an array's.
PIECE_BYTES = 2**18
# Most texts in one tensor: as Python has them, each takes over a hundred bytes, however short it is.
MAX_TEXTS = 2**20
BINARY_ONLY = frozenset({"FP16", "BF16"})
_LENGTH = struct.Struct("<I")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - {ord("["), ord("]")})
_BETWEEN = b", \t\r\n"
_COMMAS = re.compile(rb"\s*,[\s,]*")
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_NEITHER_TEXT_NOR_LIST = re.compile(rb'[^"\[\],\s]')
_WHERE = re.compile(r" - at `\$\[(\d+)\]`$")
_DECODERS: dict[str, Callable[[bytes], list[Any]]] = {
    "b": msgspec.json.Decoder(list[bool]).decode,
    "u": msgspec.json.Decoder(list[int]).decode,
    "i": msgspec.json.Decoder(list[int]).decode,
    "f": msgspec.json.Decoder(list[float]).decode,
}
_decode_strings = msgspec.json.Decoder(list[str]).decode
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class TensorData:
    """One tensor: its shape, and its elements in an array of that shape, or in a flat list for BYTES."""

    shape: list[int]
    elements: Elements


def element_bytes(datatype: str) -> int:
    """Return the bytes of one element in binary data; 1 for BYTES, whose elements vary."""
    if datatype in BINARY_ONLY:
        return 2
    return 1 if datatype == "BYTES" else numpy_dtype(datatype).itemsize


def from_json(name: str, datatype: str, data: bytes) -> Elements:
    """Return the elements of a `data` field, flat or nested in any way, in the order they stand there.

    :raises InvalidTensor: naming the tensor and the first element that is wrong.
    """
    if datatype in BINARY_ONLY:
        raise InvalidTensor(f"Tensor {shown(name)}: JSON has no form for {datatype}; use the binary data format.")
    if not data.startswith(b"["):
        raise InvalidTensor(f"Tensor {shown(name)}: 'data' must be a list.")

    return _strings(name, data) if datatype == "BYTES" else _numbers(name, datatype, data)


def from_binary(name: str, datatype: str, data: memoryview) -> Elements:
    """Return the elements of binary data, copied; the caller has checked their size.

    :raises InvalidTensor: for a BOOL that is neither 0 nor 1, and for BYTES that end within an element.
    """
    if datatype == "BYTES":
        return _split(name, data)
    if datatype == "BF16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    if datatype != "BOOL":
        return np.frombuffer(data, numpy_dtype(datatype)).copy()

    flags = np.frombuffer(data, np.uint8)
    if (flags > 1).any():
        raise InvalidTensor(f"Tensor {shown(name)}: element {(flags > 1).argmax()} is no BOOL; bytes must be 0 or 1.")
    return flags.astype(np.bool_)


def to_binary(datatype: str, elements: Elements) -> bytes:
    """Return elements as binary data, row-major. BF16 is cut off, not rounded, as the protocol has it."""
    if isinstance(elements, list):
        return b"".join([_LENGTH.pack(len(element)) + element for element in elements])
    if datatype == "BF16":
        return (np.ascontiguousarray(elements).view(np.uint32) >> 16).astype(np.uint16).tobytes()

    return elements.tobytes()


def _numbers(name: str, datatype: str, data: bytes) -> NDArray[Any]:
    dtype = numpy_dtype(datatype)
    flat = _flattened(name, data)
    if len(flat) <= PIECE_BYTES:
        return _array(name, datatype, _decoded(name, dtype.kind, flat), dtype)

    arrays: list[NDArray[Any]] = []
    done = 0
    for piece in _pieces(flat):
        arrays.append(_array(name, datatype, _decoded(name, dtype.kind, piece, done), dtype, done))
        done += len(arrays[-1])
    return np.concatenate(arrays)


def _flattened(name: str, data: bytes) -> bytes:
    """Return a list of numbers without its inner brackets. The JSON is whole already: only lists can nest so."""
    if data.find(b"[", 1) < 0:
        return data

    _check_depth(name, data)
    return b"[" + data.replace(b"[", b"").replace(b"]", b"") + b"]"


def _check_depth(name: str, data: bytes) -> None:
    if data.count(b"[") <= MAX_DEPTH:
        return

    brackets = np.frombuffer(data.translate(None, _ALL_BUT_BRACKETS), np.uint8)
    depth = np.where(brackets == ord("["), 1, -1).cumsum().max()
    if depth > MAX_DEPTH:
        raise _too_deep(name)


def _too_deep(name: str) -> InvalidTensor:
    return InvalidTensor(f"Tensor {shown(name)}: 'data' is nested deeper than {MAX_DEPTH} lists.")


def _pieces(flat: bytes) -> Iterator[bytes]:
    """Cut a flat list of numbers at commas into lists of about PIECE_BYTES."""
    end = len(flat) - 1
    start = 1
    while start < end:
        comma = flat.find(b",", start + PIECE_BYTES, end)
        stop = comma if comma > 0 else end
        yield b"[" + flat[start:stop] + b"]"
        start = stop + 1


def _decoded(name: str, kind: str, piece: bytes, done: int = 0) -> list[Any]:
    try:
        return _decoded_dense(kind, piece)
    except _DECODE_ERRORS as err:
        raise InvalidTensor(f"Tensor {shown(name)}: {_where(err, done)}.") from err


def _decoded_dense(kind: str, piece: bytes) -> list[Any]:
    decode = _DECODERS[kind]
    try:
        return decode(piece)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Of an inner list without elements nothing is left but the commas on its sides.
        return decode(b"[" + _COMMAS.sub(b",", piece[1:-1]).strip(_BETWEEN) + b"]")


def _where(err: Exception, done: int = 0) -> str:
    """Return what a decoder says, with the place of the element in the whole list."""
    place = _WHERE.search(str(err))
    if place is None:
        return f"'data' cannot be read: {err}"
    return f"element {done + int(place[1])} of 'data': {_WHERE.sub('', str(err))}"


def _array(name: str, datatype: str, values: list[Any], dtype: np.dtype[Any], done: int = 0) -> NDArray[Any]:
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=dtype)
    except OverflowError as err:
        raise _out_of_range(name, datatype, done + _first_beyond(values, dtype)) from err

    if dtype.kind == "f" and not np.isfinite(array).all():
        raise _out_of_range(name, datatype, done + int(np.isfinite(array).argmin()))
    return array


def _first_beyond(values: list[int], dtype: np.dtype[Any]) -> int:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    return next(index for index, value in enumerate(values) if not least <= value <= most)


def _out_of_range(name: str, datatype: str, index: int) -> InvalidTensor:
    return InvalidTensor(f"Tensor {shown(name)}: element {index} of 'data' is out of {datatype}'s range.")


def _strings(name: str, data: bytes) -> list[bytes]:
    if _count_texts(data) > MAX_TEXTS:
        raise _too_many(name)

    try:
        strings = _decode_strings(data)
    except msgspec.ValidationError:
        strings = _leaves(name, data)
    except _DECODE_ERRORS as err:
        raise InvalidTensor(f"Tensor {shown(name)}: {_where(err)}.") from err
    return [string.encode() for string in strings]


def _count_texts(data: bytes) -> int:
    """Return how many texts there are, by their quotes that no backslash escapes: cheaper than the texts."""
    plain = data.replace(b"\\\\", b"") if b"\\\\" in data else data
    return (plain.count(b'"') - plain.count(b'\\"')) // 2


def _leaves(name: str, data: bytes) -> list[str]:
    """Return the strings of nested lists; nothing else is made objects of."""
    if data.count(b"[") > MAX_TEXTS:
        raise _too_many(name)

    bare = _TEXT.sub(b'"', data)
    other = _NEITHER_TEXT_NOR_LIST.search(bare)
    if other:
        index = bare.count(b'"', 0, other.start())
        raise InvalidTensor(f"Tensor {shown(name)}: element {index} of 'data' must be a string.")

    try:
        values = msgspec.json.decode(data)
    except _DECODE_ERRORS as err:
        raise InvalidTensor(f"Tensor {shown(name)}: {_where(err)}.") from err

    for _ in range(MAX_DEPTH):
        if not any(type(value) is list for value in values):
            break
        values = [leaf for value in values for leaf in (value if type(value) is list else [value])]
    else:
        raise _too_deep(name)
    return values  # type: ignore[no-any-return]


def _split(name: str, data: memoryview) -> list[bytes]:
    elements: list[bytes] = []
    start, end = 0, len(data)
    while start < end:
        if end - start < _LENGTH.size:
            raise _cut_off(name, len(elements))
        stop = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
        if stop > end:
            raise _cut_off(name, len(elements))
        if len(elements) == MAX_TEXTS:
            raise _too_many(name)
        elements.append(bytes(data[start + _LENGTH.size : stop]))
        start = stop
    return elements


def _too_many(name: str) -> InvalidTensor:
    return InvalidTensor(
        f"Tensor {shown(name)} holds more than {MAX_TEXTS} texts or lists of them; send them in several requests."
    )


def _cut_off(name: str, index: int) -> InvalidTensor:
    return InvalidTensor(f"Tensor {shown(name)}: the binary data end within element {index}; its length says more.")
