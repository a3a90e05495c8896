"""The body of a request for recommendations: read strictly, and where it is wrong, what is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Final

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from app.errors import LONGEST_NAME, MOST_UNKNOWN, InputError, InvalidFields, UnreadableBody
from app.scenarios.recommendations import (
    DEFAULT_K,
    MAX_EXCLUDED,
    MAX_K,
    MAX_USERS,
    Count,
    Excluded,
    Id,
    encode_rows,
)

UserIds = Annotated[list[Id], Meta(min_length=1, max_length=MAX_USERS)]

# What is longer can hold no request that is answered: of that, one fault is told, since to look at all of a hostile
# one would hold the hub for 90 ms.
LARGEST_DIAGNOSED: Final = 2**16

_FIELDS: Final[dict[str, Any]] = {"user_id": Id, "user_ids": UserIds, "k": Count, "exclude": Excluded}
_INTEGER: Final = "Send an integer of 64 bits."
_SENTENCES: Final = {
    "user_id": _INTEGER,
    "user_ids": f"Send 1 to {MAX_USERS} integers of 64 bits.",
    "k": f"Send an integer from 1 to {MAX_K}.",
    "exclude": f"Send at most {MAX_EXCLUDED} integers of 64 bits.",
}
_NO_JSON: Final = "The request body is not valid JSON"
_UNKNOWN: Final = "There is no such field."
# How msgspec names the member that it stumbled over.
_PLACE: Final = re.compile(r" at `\$(?:\.(?P<field>\w+))?(?:\[(?P<index>\d+)\])?")
_TOO_LARGE: Final = "number is infinity"
_STRANGER: Final = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)

Faults = dict[str, list[str]]


class RecommendationBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body: one user or several, how many items for each, and which ones not."""

    user_id: Id | UnsetType = UNSET
    user_ids: UserIds | UnsetType = UNSET
    k: Count = DEFAULT_K
    exclude: Excluded = []


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """What was asked: users, a row for the runner for each, and whether the answer is one user's or a list."""

    user_ids: list[int]
    rows: list[bytes]
    is_single: bool

    @property
    def subject(self) -> str:
        """Whom it is about; empty where that is a list."""
        return str(self.user_ids[0]) if self.is_single else ""


_decode: Final = msgspec.json.Decoder(RecommendationBody).decode


def read_request(body: bytes) -> RecommendationRequest:
    """Read the body of a request: that of one user in two microseconds.

    :raises UnreadableBody: when it is no JSON, or nested as nobody nests it.
    :raises InvalidFields: naming the fields that are wrong.
    """
    try:
        asked = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise _refusal(body, err) from err

    one, many, exclude = asked.user_id, asked.user_ids, sorted(asked.exclude)
    faults = _wrong_together(has_one=one is not UNSET, has_many=many is not UNSET) | _repeated("exclude", exclude)
    if many is not UNSET:
        faults |= _repeated("user_ids", many)
    if faults:
        raise InvalidFields(faults)

    if one is not UNSET:
        return RecommendationRequest([one], encode_rows([one], asked.k, exclude), is_single=True)
    assert many is not UNSET
    return RecommendationRequest(many, encode_rows(many, asked.k, exclude), is_single=False)


def _wrong_together(*, has_one: bool, has_many: bool) -> Faults:
    if has_one is not has_many:
        return {}

    return {"user_id": ["Send either user_id or user_ids, not both." if has_one else "Send user_id, or user_ids."]}


def _repeated(field: str, ids: list[int]) -> Faults:
    return {field: ["Send each id once."]} if len(set(ids)) < len(ids) else {}


def _refusal(body: bytes, err: Exception) -> InputError:
    """Return what is wrong with a body that could not be read as a request."""
    if len(body) > LARGEST_DIAGNOSED:
        return _first_fault(err)

    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError as unread:
        # A number of four hundred digits is JSON too, only none that orjson reads.
        return _first_fault(err) if _TOO_LARGE in str(unread) else _unreadable(body, unread)
    if not isinstance(members, dict):
        return InvalidFields({"body": ["Send a JSON object."]})

    # There are none where a member came twice, and the one that is not right was not the last.
    return InvalidFields(dict(_faults_in(members)) or {"body": [f"{err}."]})


def _unreadable(body: bytes, unread: orjson.JSONDecodeError) -> UnreadableBody:
    """Say where a body is no JSON."""
    line, column = unread.lineno, unread.colno
    try:
        body.decode()
    except UnicodeDecodeError as err:
        # orjson blames the first byte for all that is no UTF-8.
        before = body[: err.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return UnreadableBody(f"{_NO_JSON}: line {line}, column {column}.")


def _faults_in(members: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    yield from _wrong_together(has_one="user_id" in members, has_many="user_ids" in members).items()
    for field in filter(members.__contains__, _FIELDS):
        try:
            msgspec.convert(members[field], _FIELDS[field])
        except msgspec.ValidationError as err:
            yield _fault_at(field, _PLACE.search(str(err)))
    unknown = (name for name in members if name not in _FIELDS)
    for name in islice(unknown, MOST_UNKNOWN):
        yield name[:LONGEST_NAME], [_UNKNOWN]


def _first_fault(err: Exception) -> InputError:
    """Return the fault that msgspec stumbled over."""
    if not isinstance(err, msgspec.ValidationError):
        return UnreadableBody(f"{_NO_JSON}.")

    stranger = _STRANGER.search(str(err))
    if stranger is not None:
        return InvalidFields({stranger["name"][:LONGEST_NAME]: [_UNKNOWN]})

    place = _PLACE.search(str(err))
    field = place["field"] if place is not None else None
    return InvalidFields(dict([_fault_at(field, place)]) if field else {"body": [f"{err}."]})


def _fault_at(field: str, place: re.Match[str] | None) -> tuple[str, list[str]]:
    """Return the sentence about a field, or about one item of its list."""
    if place is not None and place["index"]:
        return f"{field}.{place['index']}", [_INTEGER]

    return field, [_SENTENCES[field]]
