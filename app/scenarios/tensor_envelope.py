"""The JSON part of a v2 inference request: who sends which tensors and wants which, before any element is read."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from app.errors import InvalidTensor

# JSON as Python and JavaScript write it by mistake: the words stand where a number would. The first letters come
# before what must precede them, because letters are what is looked for fast.
_NOT_FINITE = re.compile(rb"(?:N(?<=[\[,:\s]N)aN|I(?<=[\[,:\s]I)nfinity|-(?<=[\[,:\s]-)(?:NaN|Infinity))(?=[\],}\s])")
# Most bytes of JSON besides the tensors' data. As Python has them they take twenty times the room, and to make so
# many objects of a large body holds the interpreter for longer than a runner may be silent.
MAX_BESIDES_BYTES: Final = 2**20
_SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
_NO_DATA = Raw(b"")
# Longest name or value of a caller that is repeated in a sentence to him.
_LONGEST_SHOWN = 80


class SentTensor(Struct, frozen=True):
    """One input as it was sent. `shape` and `datatype` may still be anything; `data` is JSON, empty if absent."""

    name: str
    shape: Any = None
    datatype: Any = None
    parameters: dict[str, Any] | None = None
    data: Raw = _NO_DATA


class AskedOutput(Struct, frozen=True):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class Envelope(Struct, frozen=True):
    """A request with its elements still in JSON. Keys that are not of the protocol are ignored."""

    inputs: list[SentTensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[AskedOutput] | None = None


class _TensorOutline(Struct, frozen=True):
    """What is made objects of in one input, still in JSON."""

    name: Raw = _NO_DATA
    shape: Raw = _NO_DATA
    datatype: Raw = _NO_DATA
    parameters: Raw = _NO_DATA


_decode = msgspec.json.Decoder(Envelope).decode


def read_envelope(json: memoryview, most_inputs: int) -> Envelope:
    """Read the JSON part of a request to a model of `most_inputs` inputs; in a small one there may be more.

    :raises InvalidTensor: when it is no JSON, not of the protocol's form, or too much besides the tensors' data.
    """
    try:
        return _bounded(json, most_inputs)
    except msgspec.ValidationError as err:
        raise InvalidTensor(f"The body is not a v2 inference request: {err}.") from err
    except RecursionError as err:
        raise InvalidTensor("The JSON is nested too deeply.") from err
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        _blame_not_finite(bytes(json), most_inputs)
        raise InvalidTensor(f"The body is no JSON: {err}.") from err


def check_reserved(parameters: dict[str, Any]) -> None:
    """Refuse the parameters that this server keeps for itself, or does not do.

    :raises InvalidTensor: naming the parameter.
    """
    for key in parameters:
        if key.startswith("triton_"):
            raise InvalidTensor(f"Parameter {shown(key)} is reserved; names must not start with 'triton_'.")
    for key in _SEQUENCES:
        if parameters.get(key):
            raise InvalidTensor(f"Parameter '{key}': sequences are not supported; leave the sequence parameters out.")


def flag(parameters: dict[str, Any], key: str, *, default: bool) -> bool:
    """Return a parameter that is true or false.

    :raises InvalidTensor: when it is something else.
    """
    value = parameters.get(key, default)
    if type(value) is not bool:
        raise InvalidTensor(f"Parameter '{key}' must be true or false, not {shown(value)}.")
    return value


def natural(parameters: dict[str, Any], key: str, *, least: int = 0, of: str = "") -> int:
    """Return a parameter that is a whole number; without it 0. `of` says in the failure's sentence whose it is.

    :raises InvalidTensor: when it is something else, or less than `least`.
    """
    value = parameters.get(key)
    if value is None:
        return 0
    # bool is an int to Python, not to the protocol.
    if type(value) is not int or not least <= value < 2**63:
        parameter = f"{of}: parameter" if of else "Parameter"
        raise InvalidTensor(f"{parameter} '{key}' must be a whole number of at least {least}, not {shown(value)}.")
    return value


def shown(value: Any) -> str:
    """Return a caller's value as it may stand in a sentence: quoted, and not longer than a line."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _bounded(json: bytes | memoryview, most_inputs: int) -> Envelope:
    """Decode JSON, of a large one only what will not become too many objects."""
    if len(json) > MAX_BESIDES_BYTES:
        _check_outline(_outline_decoder(most_inputs)(json), most_inputs)
    return _decode(json)


@lru_cache(maxsize=8)
def _outline_decoder(most_inputs: int) -> Callable[[bytes | memoryview], Any]:
    """Return a decoder that makes nothing of a request but one more input than the model has; it skips the rest."""
    names = [f"input_{number}" for number in range(most_inputs + 1)]
    tensor: Any = _TensorOutline | UnsetType
    inputs = msgspec.defstruct("_Inputs", [(name, tensor, UNSET) for name in names], array_like=True, frozen=True)
    members = [(name, Raw, _NO_DATA) for name in ("id", "parameters", "outputs")]
    outline = msgspec.defstruct("_Outline", [*members, ("inputs", inputs, inputs())], frozen=True)
    return msgspec.json.Decoder(outline).decode


def _check_outline(outline: Any, most_inputs: int) -> None:
    tensors = [tensor for tensor in msgspec.structs.astuple(outline.inputs) if tensor is not UNSET]
    if len(tensors) > most_inputs:
        raise InvalidTensor(f"The request has more inputs than the model, which has {most_inputs}.")

    members = [outline.id, outline.parameters, outline.outputs]
    members += [member for tensor in tensors for member in msgspec.structs.astuple(tensor)]
    size_bytes = sum(map(len, members))
    if size_bytes > MAX_BESIDES_BYTES:
        raise InvalidTensor(
            f"The JSON besides the tensors' 'data' takes {size_bytes} bytes; at most {MAX_BESIDES_BYTES} are read."
        )


def _blame_not_finite(json: bytes, most_inputs: int) -> None:
    """Name the tensor whose NaN or Infinity is why the JSON is none, if that is all that is wrong with it."""
    try:
        envelope = _bounded(_NOT_FINITE.sub(b"null", json), most_inputs)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return

    for tensor in envelope.inputs:
        data = bytes(tensor.data)
        if b"null" in data:
            element = data[: data.index(b"null")].count(b",")
            raise InvalidTensor(
                f"Tensor {shown(tensor.name)}: element {element} of 'data' is NaN or Infinity, for which JSON has no "
                "form; use the binary data format."
            )
