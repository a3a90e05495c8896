"""Frames are read strictly, and written so that any JSON reader reads them."""

import json
import os
from pathlib import Path

import pytest

from app.errors import InvalidFrame, QueueFull
from app.web.sockets.protocol import (
    LARGEST_SEQ,
    Bye,
    EventFrame,
    FrameReader,
    Hello,
    Ping,
    TextFrame,
    answer_frame,
    error_frame,
    ready_frame,
)

PAYMENTS, TEXTS = FrameReader(EventFrame), FrameReader(TextFrame)


def test_both_streams_say_hello_and_bye() -> None:
    assert PAYMENTS.read('{"type":"hello","token":"t","resume":"r"}') == Hello("t", "r")
    assert TEXTS.read('{"type":"hello"}') == Hello()
    assert (TEXTS.read('{"type":"ping"}'), PAYMENTS.read('{"type":"bye"}')) == (Ping(), Bye())


def test_an_event_is_left_as_it_is() -> None:
    frame = PAYMENTS.read('{"type":"event","seq":1,"event":{"amount": 1e3, "b":[ ]}}')

    assert isinstance(frame, EventFrame)
    assert (frame.seq, bytes(frame.event)) == (1, b'{"amount": 1e3, "b":[ ]}')


def test_a_text_may_be_the_last() -> None:
    frame = TEXTS.read(f'{{"type":"text","seq":{LARGEST_SEQ},"text":"\\u00e4","end":true}}')

    assert frame == TextFrame(LARGEST_SEQ, text="ä", end=True)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "null",
        '{"type":"event"}',
        '{"type":"nonsense"}',
        '{"seq":1,"event":{}}',
        '{"type":"event","seq":0,"event":{}}',
        '{"type":"event","seq":-1,"event":{}}',
        '{"type":"event","seq":1.5,"event":{}}',
        '{"type":"event","seq":"1","event":{}}',
        '{"type":"event","seq":9223372036854775808,"event":{}}',
        '{"type":"event","seq":9007199254740992,"event":{}}',
        '{"type":"text","seq":1,"text":"a"}',
        '{"type":"event","seq":1,"event":{}} trailing',
        '{"type":"hello","tokn":"t"}',
        "\ud800",
        '{"type":"event","seq":1,"event":' + '{"a":' * 5000 + "1" + "}" * 5001,
        "[" * 50_000,
    ],
)
def test_anything_else_is_refused_with_a_sentence(data: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        PAYMENTS.read(data)
    assert caught.value.detail


@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA is not set")
def test_naughty_strings_are_refused_or_read() -> None:
    strings = Path(os.environ["GALLEY_DATA"]) / "text-naughty-strings" / "blns.json"
    for naughty in json.loads(strings.read_text("utf-8")):
        frame = TEXTS.read(json.dumps({"type": "text", "seq": 1, "text": naughty}))
        assert isinstance(frame, TextFrame)
        assert frame.text == naughty
        with pytest.raises(InvalidFrame):
            TEXTS.read(naughty)


@pytest.mark.parametrize(
    ("answer", "members"), [(b'{"score":0.5}', {"score": 0.5}), (b"{}", {}), (b'{ "a" : "}" }', {"a": "}"})]
)
def test_an_answer_is_framed_without_reading_it(answer: bytes, members: dict[str, object]) -> None:
    for given in (answer, memoryview(answer)):
        frame = answer_frame("score", 7, given, credits_left=3)
        assert json.loads(frame) == {"type": "score", "seq": 7, "credits": 3, **members}


def test_an_error_says_whether_to_try_again() -> None:
    told = json.loads(error_frame(QueueFull("No room."), 4))

    said = {"type": "error", "seq": 4, "code": "queue_full", "detail": "No room."}
    assert told == {**said, "retryable": True, "retry_after_s": 1.0}
    assert "seq" not in json.loads(error_frame(QueueFull("No room.")))


def test_a_session_opens_with_all_of_its_members() -> None:
    assert json.loads(ready_frame(session="s", credits=8)) == {"type": "ready", "session": "s", "credits": 8}
