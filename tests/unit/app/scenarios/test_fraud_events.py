"""Events of payments as callers write them: what is taken, and which field is told of what is not."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidFields, UnreadableBody
from app.scenarios.fraud_events import FraudEvent, decode_event, encode_event, read_event, read_request
from tests.factories.payments import MEMBERS, MONDAY_MS

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def event(**changes: Any) -> bytes:
    return json.dumps({**MEMBERS, **changes}).encode()


def faults(data: bytes) -> dict[str, list[str]]:
    with pytest.raises(InvalidFields) as caught:
        read_event(data, now=NOW)
    return caught.value.errors


def test_an_event_is_read() -> None:
    read = read_event(event(channel="pos", country="DE", amount=3), now=NOW)

    assert read == FraudEvent("e-1", "a-1", "m-1", 3.0, MONDAY_MS, "pos", "DE")
    assert decode_event(encode_event(read)) == read


def test_channel_and_country_may_be_left_out() -> None:
    read = read_event(event(), now=NOW)

    assert (read.channel, read.country) == (None, None)
    assert read == read_event(event(channel=None, country=None), now=NOW)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-01-05T01:00:00+01:00", MONDAY_MS),
        ("2026-01-05T00:00:00.0019Z", MONDAY_MS + 1),
        ("2000-01-01T00:00:00Z", 946_684_800_000),
        ("2026-01-05T12:05:00Z", MONDAY_MS + 12 * 3_600_000 + 300_000),
    ],
)
def test_times_are_milliseconds_whatever_their_zone(text: str, ms: int) -> None:
    assert read_event(event(occurred_at=text), now=NOW).occurred_ms == ms


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z", "2026-01-05T12:05:00.001Z", "2100-01-01T00:00:00Z",
        "2026-01-05T00:00:00", "2026-01-05", "yesterday", "", None, 1767571200, "2026-13-05T00:00:00Z", ["2026"],
        "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
    ],
)  # fmt: skip
def test_other_times_are_refused(text: object) -> None:
    assert list(faults(event(occurred_at=text))) == ["occurred_at"]


@pytest.mark.parametrize("amount", [-1, -0.01, 1e9 + 1, 1e308, "12", True, None, [1], {}])
def test_amounts_that_are_none_are_refused(amount: object) -> None:
    assert list(faults(event(amount=amount))) == ["amount"]


@pytest.mark.parametrize("field", ["event_id", "account_id", "merchant_id", "channel", "country"])
@pytest.mark.parametrize("value", ["", "x" * 129, 7, ["x"], False])
def test_texts_have_bounds(field: str, value: object) -> None:
    assert list(faults(event(**{field: value}))) == [field]


@pytest.mark.parametrize("currency", ["USD", "eur", "", None, 978])
def test_there_is_one_currency(currency: object) -> None:
    assert faults(event(currency=currency)) == {"currency": ["Send 'EUR', the only currency."]}


@pytest.mark.parametrize("field", MEMBERS)
def test_what_is_missing_is_named(field: str) -> None:
    members = {name: value for name, value in MEMBERS.items() if name != field}

    assert list(faults(json.dumps(members).encode())) == [field]


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = faults(event(amount=-1, currency="USD", colour="red", **{"n" * 999: 1}))

    assert sorted(told) == ["amount", "colour", "currency", "n" * 64]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b'{"event_id":', b"\xff", event().replace(b"12.5", b"NaN"), event().replace(b"12.5", b"Infinity"),
        event().replace(b'"e-1"', b'"\\ud800"'), event().replace(b'"m-1"', b'"\xed\xa0\x80"'), b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_event(data, now=NOW)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_an_event_is_an_object(data: bytes) -> None:
    assert faults(data) == {"event": ["Send a JSON object."]}


@pytest.mark.parametrize("number", [b"1e999", b"1" * 400, b"-" + b"9" * 30])
def test_numbers_that_nothing_holds_are_refused(number: bytes) -> None:
    with pytest.raises((InvalidFields, UnreadableBody)):
        read_event(event().replace(b"12.5", number), now=NOW)


def test_a_request_holds_one_event() -> None:
    assert read_request(b'{"event":%b}' % event(), now=NOW) == read_event(event(), now=NOW)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"event":null}', b'{"event":{}}', b'{"event":{},"k":1}'])
def test_other_requests_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidFields):
        read_request(body, now=NOW)


@pytest.mark.parametrize("body", [b"", b'{"event":', b'{"event":{"event_id":"\\ud800"}}'])
def test_a_request_that_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_request(body, now=NOW)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*MEMBERS, "channel", "country", "other"]), ANYTHING))
def test_whatever_is_sent_is_read_or_refused(members: dict[str, Any]) -> None:
    try:
        data = json.dumps({**MEMBERS, **members}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        data = json.dumps({**MEMBERS, **members}).encode()
    with suppress(InvalidFields, UnreadableBody):
        read = read_event(data, now=NOW)
        assert 0 <= read.amount <= 1e9
        assert 946_684_800_000 <= read.occurred_ms <= (NOW + timedelta(minutes=5)).timestamp() * 1000
