"""Frames that are read, and whose contents are not what they should be: each gets its error, and the socket stays."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.payments import MEMBERS
from tests.factories.stack import Stack
from tests.factories.stream_socket import StreamSocket, text_bytes

pytestmark = pytest.mark.long

BAD_AMOUNTS: list[Any] = [-1, -0.01, 1e308, 10**30, "1", None, True, [1], {}]
BAD_NAMES: list[Any] = ["", "a" * 129, "\N{SAILBOAT}" * 129, 7, None, ["a"]]
BAD_MEMBERS: list[dict[str, Any]] = [
    *({"amount": amount} for amount in BAD_AMOUNTS),
    *(
        {"occurred_at": moment}
        for moment in (
            "1970-01-01T00:00:00Z",
            "1999-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-02-30T00:00:00Z",
            "2026-01-05T00:00:00",
            "2026-01-05",
            "yesterday",
            "",
            1_767_571_200,
            None,
        )
    ),
    *({"account_id": name} for name in BAD_NAMES),
    {"event_id": ""},
    {"merchant_id": None},
    {"currency": "USD"},
    {"channel": ""},
    {"country": 49},
    {"surprise": 1},
]


@pytest.fixture
def writer(single: Stack, token: str) -> Iterator[StreamSocket]:
    """A socket of the text stream after its hello."""
    with StreamSocket(single.port, "text") as socket:
        assert socket.greet(token)["type"] == "ready"
        yield socket


@pytest.mark.parametrize(
    "changes", BAD_MEMBERS, ids=[f"{next(iter(one))}-{place}" for place, one in enumerate(BAD_MEMBERS)]
)
def test_a_payment_that_is_wrong_is_refused_by_its_number_and_the_next_is_scored(
    socket: StreamSocket, changes: dict[str, Any]
) -> None:
    refused = socket.ask({**MEMBERS, "account_id": "wrong", "event_id": "w-1", **changes})
    scored = socket.ask({**MEMBERS, "account_id": "wrong", "event_id": "w-2"})

    assert (refused["type"], refused["seq"], refused["retryable"]) == ("error", 1, False)
    assert refused["code"] == "validation_failed"
    assert set(refused["errors"]) == set(changes)
    assert (scored["type"], scored["seq"], scored["event_id"]) == ("score", 2, "w-2")


@pytest.mark.parametrize("event", ["[]", "null", '"e"', "7", "{}", '{"amount": NaN}', '{"amount": 1e999}', '{"a": }'])
def test_a_payment_that_is_none_is_refused_and_the_next_is_scored(socket: StreamSocket, event: str) -> None:
    socket.put(text_bytes(f'{{"type":"event","seq":1,"event":{event}}}'))
    refused = socket.hear()
    socket.seq = refused.get("seq", 0)
    scored = socket.ask({**MEMBERS, "account_id": "none", "event_id": event})

    assert (refused["type"], refused["retryable"]) == ("error", False)
    assert scored["type"] == "score"


@pytest.mark.parametrize("field", ["event_id", "account_id", "merchant_id"])
@pytest.mark.parametrize("surrogate", [r"\ud800", r"\udfff", r"a\udc00b", r"\udc00\ud800"])
def test_lone_surrogates_are_refused_wherever_they_stand(socket: StreamSocket, field: str, surrogate: str) -> None:
    event = json.dumps({**MEMBERS, field: "HERE"}).replace("HERE", surrogate)
    socket.put(text_bytes(f'{{"type":"event","seq":1,"event":{event}}}'))

    refused = socket.hear()
    assert (refused["type"], refused["retryable"]) == ("error", False)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"text","seq":1}',
        '{"type":"text","seq":1,"text":null}',
        '{"type":"text","seq":1,"text":"a","base64":"YQ=="}',
        '{"type":"text","seq":1,"text":7}',
        '{"type":"text","seq":1,"base64":"?"}',
        '{"type":"text","seq":1,"base64":"YQ"}',
        r'{"type":"text","seq":1,"text":"\ud800"}',
        '{"type":"text","seq":1,"text":"a","end":"yes"}',
    ],
)
def test_a_piece_that_is_wrong_is_refused_and_its_number_may_come_again(writer: StreamSocket, frame: str) -> None:
    writer.put(text_bytes(frame))
    assert writer.hear()["type"] == "error"

    writer.say(type="text", seq=1, text="my card was stolen", end=True)
    answer = writer.hear()
    assert (answer["type"], answer["seq"], answer["final"]) == ("prediction", 1, True)


def test_bytes_that_are_no_utf_8_are_taken_as_they_are(writer: StreamSocket) -> None:
    """A piece may end within a character; whether the next one goes on with it nobody knows."""
    for seq, data in enumerate([b"\xff\xfe", b"\xc3", b"\x00", b"\xf0\x9f", b"\x80" * 100], 1):
        writer.say(type="text", seq=seq, base64=base64.b64encode(data).decode(), end=seq == 5)
        answer = writer.hear()
        assert (answer["type"], answer["seq"]) == ("prediction", seq)


@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data")
def test_naughty_strings_are_answered_or_refused_through_both_streams(
    socket: StreamSocket, writer: StreamSocket
) -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "text-naughty-strings"
    strings = list(dict.fromkeys(json.loads((folder / "blns.json").read_text("utf-8"))))
    assert len(strings) > 400

    for seq, naughty in enumerate(strings, 1):
        answer = socket.ask({**MEMBERS, "event_id": naughty, "account_id": naughty, "merchant_id": naughty})
        assert answer["seq"] == seq
        assert (answer["type"] == "score") is (1 <= len(naughty) <= 128)
        assert answer.get("event_id", naughty) == naughty
        writer.say(type="text", seq=seq, text=naughty)
        assert (writer.hear().items()) >= {"type": "prediction", "seq": seq}.items()
