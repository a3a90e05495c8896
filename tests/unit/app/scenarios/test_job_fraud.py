"""Jobs that score payments: rows as bodies and as records, and what is answered to them."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import EventTooLate, InvalidFields, InvalidInput, UnreadableBody
from app.scenarios.fraud_events import FraudEvent, decode_event
from app.scenarios.job_fraud import FraudJobs
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from model_store.manifest import Manifest
from tests.factories.payments import MEMBERS
from tests.factories.settings import make_settings
from tests.fakes.clock import START, FakeClock

KIND = FraudJobs(FakeClock().clock())
MANIFEST = Manifest(task="sequence-scoring")
MODEL = b'{"name":"fraud","version":1,"variant":null}'
ANSWER = b'{"score":0.5,"decision":"review","reasons":[]}'


def body(**changes: Any) -> bytes:
    return json.dumps({"event": {**MEMBERS, **changes}}).encode()


def read(content: Content) -> AskedRow:
    return KIND.reader(InputFormat.CSV, MANIFEST)(content)


def event_of(content: Content) -> FraudEvent:
    asked = read(content)
    (row,) = asked.rows
    assert decode_event(row) == asked.context
    return decode_event(row)


@pytest.mark.parametrize(
    "record",
    [
        MEMBERS,
        {**MEMBERS, "amount": "12.5", "channel": "", "country": None},
        {**MEMBERS, "amount": "1.25e1"},
    ],
)
def test_bodies_and_records_ask_for_the_same(record: dict[str, Any]) -> None:
    assert event_of(record) == event_of(body())


def test_ids_are_texts_whatever_the_table_has_them_as() -> None:
    of_numbers = event_of({**MEMBERS, "event_id": 7, "account_id": 8, "merchant_id": 9})

    assert of_numbers == event_of({**MEMBERS, "event_id": "7", "account_id": "8", "merchant_id": "9"})
    assert (of_numbers.event_id, of_numbers.account_id, of_numbers.merchant_id) == ("7", "8", "9")


def test_channel_and_country_come_along() -> None:
    event = event_of({**MEMBERS, "channel": "online", "country": "DE"})

    assert (event.channel, event.country) == ("online", "DE")


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (body(amount="12.5"), {"amount"}),
        (body(account_id=7), {"account_id"}),
        (json.dumps(MEMBERS).encode(), {"event"}),
        ({**MEMBERS, "amount": "much"}, {"amount"}),
        ({**MEMBERS, "amount": -1}, {"amount"}),
        ({**MEMBERS, "amount": float("nan")}, {"amount"}),
        ({**MEMBERS, "amount": '1,"currency":"USD"'}, {"amount"}),
        ({**MEMBERS, "account_id": b"a"}, {"account_id"}),
        ({**MEMBERS, "account_id": 7.5}, {"account_id"}),
        ({**MEMBERS, "merchant_id": True}, {"merchant_id"}),
        ({**MEMBERS, "event_id": ""}, {"event_id"}),
        ({**MEMBERS, "occurred_at": "yesterday", "currency": "USD"}, {"occurred_at", "currency"}),
    ],
)
def test_what_the_route_refuses_is_a_bad_row(content: Content, fields: set[str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        read(content)

    assert set(caught.value.errors) == fields


def test_a_line_that_is_no_json_is_a_bad_row() -> None:
    with pytest.raises(UnreadableBody):
        read(b'{"event":')


def test_what_has_not_happened_yet_is_a_bad_row() -> None:
    clock = FakeClock()
    read_row = FraudJobs(clock.clock()).reader(InputFormat.NDJSON, MANIFEST)
    # START is 2027-01-15T08:00:00Z.
    ahead = body(occurred_at="2027-01-15T08:06:00Z")
    with pytest.raises(InvalidFields):
        read_row(ahead)

    clock.advance(60)
    assert read_row(ahead).context.occurred_ms == (START + 360) * 1000


def test_a_row_is_answered_as_the_route_answers() -> None:
    answer = KIND.answer(read(body()), [ANSWER], MODEL)

    assert json.loads(answer) == {"event_id": "e-1", **json.loads(ANSWER), "model": json.loads(MODEL)}
    assert tuple(json.loads(answer)) == KIND.columns


def test_the_failure_of_an_event_is_the_rows() -> None:
    with pytest.raises(EventTooLate):
        KIND.answer(read(body()), [EventTooLate(7200, limit_s=3600)], MODEL)


def test_a_table_has_all_that_an_event_needs_and_nothing_else() -> None:
    KIND.check_columns(list(MEMBERS), MANIFEST)
    KIND.check_columns([*MEMBERS, "channel", "country"], MANIFEST)

    for column in MEMBERS:
        with pytest.raises(InvalidInput, match=f"has no column '{column}'"):
            KIND.check_columns([name for name in MEMBERS if name != column], MANIFEST)
    with pytest.raises(InvalidInput, match="'TX_FRAUD'"):
        KIND.check_columns([*MEMBERS, "TX_FRAUD"], MANIFEST)


def test_payments_are_scored_in_their_order_by_the_model_of_the_route(tmp_path: Path) -> None:
    assert KIND.is_ordered
    assert KIND.default_model(make_settings(tmp_path, fraud_model="guard")) == "guard"
