"""Payments to be scored for fraud: what may be sent as one, over HTTP and sockets alike, and on the wire to a runner.

The service that scores them keeps beside an account's state which events it has answered: an `event_id` sent again
within 24 hours gets the first answer and never comes here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from app.errors import LONGEST_NAME, MOST_UNKNOWN, InputError, InvalidFields, UnreadableBody

TASK: Final = "sequence-scoring"
MAX_AMOUNT: Final = 1e9
MAX_ID_CHARACTERS: Final = 128
MAX_WORD_CHARACTERS: Final = 32
# Clocks of callers may be ahead by so much.
MAX_AHEAD: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]
Word = Annotated[str, Meta(min_length=1, max_length=MAX_WORD_CHARACTERS)]
Amount = Annotated[float, Meta(ge=0, le=MAX_AMOUNT)]
Moment = Annotated[datetime, Meta(tz=True)]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_ID: Final = f"Send a text of 1 to {MAX_ID_CHARACTERS} characters."
_WORD: Final = f"Send a text of 1 to {MAX_WORD_CHARACTERS} characters, or leave it out."
_SENTENCES: Final = {
    "event_id": _ID,
    "account_id": _ID,
    "merchant_id": _ID,
    "amount": f"Send a number from 0 to {MAX_AMOUNT:.0f}.",
    "currency": "Send 'EUR', the only currency.",
    "occurred_at": "Send a time with its zone as RFC 3339 writes it, from 2000 until five minutes from now.",
    "channel": _WORD,
    "country": _WORD,
}
_OPTIONAL: Final = frozenset({"channel", "country"})
_NO_JSON: Final = "The event is not valid JSON, or holds a number that is out of all bounds."
_NO_OBJECT: Final = "Send a JSON object."
_UNKNOWN: Final = "There is no such field."


class FraudEvent(Struct, frozen=True, array_like=True):
    """One payment, checked; array-like on the wire to a runner. Times are milliseconds since 1970."""

    event_id: str
    account_id: str
    merchant_id: str
    amount: float
    occurred_ms: int
    channel: str | None = None
    country: str | None = None


class _Sent(Struct, frozen=True, forbid_unknown_fields=True):
    event_id: Id
    account_id: Id
    merchant_id: Id
    amount: Amount
    currency: Literal["EUR"]
    occurred_at: Moment
    channel: Word | None = None
    country: Word | None = None


class _Request(Struct, frozen=True, forbid_unknown_fields=True):
    event: msgspec.Raw


_decode_sent: Final = msgspec.json.Decoder(_Sent).decode
_decode_request: Final = msgspec.json.Decoder(_Request).decode
_decode_any: Final = msgspec.json.Decoder().decode
encode_event: Final = msgspec.msgpack.Encoder().encode
decode_event: Final = msgspec.msgpack.Decoder(FraudEvent).decode


def read_request(body: bytes, *, now: datetime) -> FraudEvent:
    """Read the body of a request, `{"event": {…}}`.

    :raises UnreadableBody: when it is no JSON.
    :raises InvalidFields: naming the fields that are wrong.
    """
    try:
        event = _decode_request(body).event
    except msgspec.ValidationError as err:
        raise InvalidFields({"event": [f"Send one event and nothing else: {err}."]}) from err
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise UnreadableBody(_NO_JSON) from err

    return read_event(event, now=now)


def read_event(data: bytes | msgspec.Raw, *, now: datetime) -> FraudEvent:
    """Read one event in JSON: in three microseconds where nothing is wrong with it.

    :raises UnreadableBody: when it is no JSON; lone surrogates, NaN and infinities are none.
    :raises InvalidFields: naming the fields that are wrong.
    """
    try:
        sent = _decode_sent(data)
    except msgspec.ValidationError as err:
        raise _refusal(data, err) from err
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
        raise UnreadableBody(_NO_JSON) from err

    if not EARLIEST <= sent.occurred_at <= now + MAX_AHEAD:
        raise InvalidFields({"occurred_at": [_SENTENCES["occurred_at"]]})
    return FraudEvent(
        sent.event_id,
        sent.account_id,
        sent.merchant_id,
        sent.amount,
        (sent.occurred_at - _EPOCH) // _MILLISECOND,
        sent.channel,
        sent.country,
    )


def _refusal(data: bytes | msgspec.Raw, err: msgspec.ValidationError) -> InputError:
    """Return what is wrong with an event that could not be read: every field of it."""
    try:
        members = _decode_any(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # What stands behind the first fault.
        return UnreadableBody(_NO_JSON)
    if not isinstance(members, dict):
        return InvalidFields({"event": [_NO_OBJECT]})

    # There are none where a member came twice, and the one that is not right was not the last.
    return InvalidFields(dict(_faults_in(members)) or {"event": [f"{err}."]})


def _faults_in(members: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for field in msgspec.structs.fields(_Sent):
        if field.name not in members and field.name in _OPTIONAL:
            continue
        try:
            msgspec.convert(members.get(field.name), field.type, str_keys=True)
        except msgspec.ValidationError:
            yield field.name, [_SENTENCES[field.name]]
    unknown = (name for name in members if name not in _SENTENCES)
    for name in islice(unknown, MOST_UNKNOWN):
        yield name[:LONGEST_NAME], [_UNKNOWN]
