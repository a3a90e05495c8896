"""The JSON part of a v2 inference request: who sends which tensors and wants which, before any element is read."""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from app.errors import InvalidTensor

# JSON as Python and JavaScript write it by mistake: the words stand where a number would.
_NOT_FINITE = re.compile(rb"(?<=[\[,:\s])-?(?:NaN|Infinity)(?=[\],}\s])")
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


_decode = msgspec.json.Decoder(Envelope).decode


def read_envelope(json: memoryview) -> Envelope:
    """Read the JSON part of a request.

    :raises InvalidTensor: when it is no JSON, or not of the protocol's form.
    """
    try:
        return _decode(json)
    except msgspec.ValidationError as err:
        raise InvalidTensor(f"The body is not a v2 inference request: {err}.") from err
    except RecursionError as err:
        raise InvalidTensor("The JSON is nested too deeply.") from err
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        _blame_not_finite(bytes(json))
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


def _blame_not_finite(json: bytes) -> None:
    """Name the tensor whose NaN or Infinity is why the JSON is none, if that is all that is wrong with it."""
    try:
        envelope = _decode(_NOT_FINITE.sub(b"null", json))
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
