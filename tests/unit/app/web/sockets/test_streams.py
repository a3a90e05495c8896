"""What the streams differ in: their model, their frames, and what an event of them may say."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import InputError, InvalidFields, UnreadableBody
from app.setting_rules import MOST_CREDITS
from app.web.sockets.protocol import EventFrame, TextFrame
from app.web.sockets.streams import FRAUD, TEXT
from tests.factories.settings import make_settings
from tests.factories.streams import event_frame, make_session


def test_each_has_its_model_and_its_frames(tmp_path: Path) -> None:
    settings = replace(make_settings(tmp_path), fraud_model="cards", text_model="mails")

    assert (FRAUD.model(settings), TEXT.model(settings)) == ("cards", "mails")
    assert (FRAUD.name, FRAUD.task, FRAUD.work, FRAUD.answers) == ("fraud", "sequence-scoring", EventFrame, "score")
    assert (TEXT.name, TEXT.task, TEXT.work, TEXT.answers) == ("text", "text-classification", TextFrame, "prediction")
    assert (FRAUD.is_numbered, TEXT.is_numbered) == (False, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", -1),
        ("amount", 1e308),
        ("amount", "12"),
        ("occurred_at", "1970-01-01T00:00:00Z"),
        ("occurred_at", "2100-01-01T00:00:00Z"),
        ("occurred_at", "garbage"),
        ("currency", "USD"),
        ("account_id", ""),
        ("event_id", "x" * 129),
        ("tip", 1),
    ],
)
def test_a_payment_is_read_as_over_http(field: str, value: object) -> None:
    with pytest.raises(InvalidFields) as caught:
        FRAUD.read(event_frame(1, **{field: value}), make_session())
    assert list(caught.value.errors) == [field]


def test_a_payment_that_is_no_json_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        FRAUD.read(event_frame(1, amount=float("nan")), make_session())
    with pytest.raises(InputError):
        FRAUD.read(event_frame(1, account_id="\ud800"), make_session())


def test_an_answer_says_whose_it_is_and_who_answered() -> None:
    _, _, write = FRAUD.read(event_frame(7), make_session())

    assert write(b'{"score":0.5}', b'{"name":"m"}') == b'{"event_id":"e-7","score":0.5,"model":{"name":"m"}}'


def test_an_answer_to_a_text_is_passed_on() -> None:
    _, _, write = TEXT.read(TextFrame(1, text="a"), make_session())

    assert write(memoryview(b'{"label":"x"}'), b"{}") == b'{"label":"x"}'


def test_the_answers_to_a_text_take_so_many_places_however_long_it_is() -> None:
    calls = [TEXT.read(TextFrame(seq, text="a"), make_session())[1] for seq in range(1, 3 * MOST_CREDITS)]

    assert len({call.event for call in calls}) == MOST_CREDITS
    assert all(len({call.event for call in calls[at : at + MOST_CREDITS]}) == MOST_CREDITS for at in (0, 1, 500))


def test_a_payment_answered_by_another_version_says_so() -> None:
    _, _, write = FRAUD.read(event_frame(7), make_session())

    told = write(b'{"score":0.5,"version":2}', b'{"name":"m","version":3,"variant":"b"}')
    assert told == b'{"event_id":"e-7","score":0.5,"model":{"name":"m","version":2,"variant":null}}'
