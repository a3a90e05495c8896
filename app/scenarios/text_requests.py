"""The body of a request to classify texts: read strictly, and where it is wrong, what is."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from app.errors import LONGEST_NAME, MOST_UNKNOWN, InputError, InvalidFields, UnreadableBody
from app.scenarios.text import MAX_TEXT_BYTES

MAX_TEXTS: Final = 256
# Of a longer body that is no request it is said that it is none, no more: to look at all of a hostile one would hold
# the hub.
LARGEST_DIAGNOSED: Final = 2**16

_TEXT: Final = f"Send a text of at most {MAX_TEXT_BYTES} bytes of UTF-8."
_TEXTS: Final = f"Send 1 to {MAX_TEXTS} texts."
_ONE_OR_MANY: Final = "Send either text or texts."
_UNKNOWN: Final = "There is no such field."
_NO_JSON: Final = "The request body is not valid JSON."

Texts = Annotated[list[str], Meta(min_length=1, max_length=MAX_TEXTS)]
Faults = Iterator[tuple[str, list[str]]]


class TextBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: one text, or several."""

    text: str | UnsetType = UNSET
    texts: Texts | UnsetType = UNSET


_decode: Final = msgspec.json.Decoder(TextBody).decode
_decode_any: Final = msgspec.json.Decoder().decode


def read_request(body: bytes) -> list[bytes]:
    """Read the body of a request, `{"text"}` or `{"texts": [‥]}`; return a row for the runner for each text.

    A row is the text's UTF-8: who asks for the same sends the same, so it serves as a key.

    :raises UnreadableBody: when it is no JSON; a lone surrogate is none.
    :raises InvalidFields: naming the fields that are wrong.
    """
    try:
        asked = _decode(body)
    except msgspec.ValidationError as err:
        raise _refusal(body, err) from err
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise UnreadableBody(_NO_JSON) from err

    one, many = asked.text, asked.texts
    if isinstance(one, str) and many is UNSET:
        return _rows({"text": one})
    if one is UNSET and isinstance(many, list):
        return _rows({f"texts.{place}": text for place, text in enumerate(many)})
    raise InvalidFields({"text": [_ONE_OR_MANY]})


def _rows(texts: Mapping[str, str]) -> list[bytes]:
    """Return each text's row; texts are by the names of their fields."""
    rows = {name: text.encode() for name, text in texts.items()}
    faults = {name: [_TEXT] for name, row in rows.items() if len(row) > MAX_TEXT_BYTES}
    if faults:
        raise InvalidFields(faults)

    return list(rows.values())


def _refusal(body: bytes, err: msgspec.ValidationError) -> InputError:
    """Return what is wrong with a body that is no request: every field of it."""
    if len(body) > LARGEST_DIAGNOSED:
        return InvalidFields({"body": [f"Send a JSON object: text, or texts, of which there are 1 to {MAX_TEXTS}."]})

    try:
        members = _decode_any(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # What stands behind the first fault.
        return UnreadableBody(_NO_JSON)
    if not isinstance(members, dict):
        return InvalidFields({"body": ["Send a JSON object."]})

    # There are none where a member came twice, and the one that is not right was not the last.
    return InvalidFields(dict(_faults_in(members)) or {"body": [f"{err}."]})


def _faults_in(members: dict[str, Any]) -> Faults:
    if not isinstance(members.get("text", ""), str):
        yield "text", [_TEXT]
    if "texts" in members:
        yield from _faults_of(members["texts"])
    unknown = (name for name in members if name not in TextBody.__struct_fields__)
    for name in islice(unknown, MOST_UNKNOWN):
        yield name[:LONGEST_NAME], [_UNKNOWN]


def _faults_of(texts: object) -> Faults:
    if not isinstance(texts, list) or not 1 <= len(texts) <= MAX_TEXTS:
        yield "texts", [_TEXTS]
        return

    for place, text in enumerate(texts):
        if not isinstance(text, str):
            yield f"texts.{place}", [_TEXT]
