"""Sockets that are never quite opened, and clients that do not say who they are, or are not who they say."""

import socket as sockets
import time

import httpx
import jwt
import pytest

from tests.factories.payments import MEMBERS
from tests.factories.stack import Stack
from tests.factories.stream_socket import StreamSocket, handshake_bytes, text_bytes

pytestmark = pytest.mark.long

HELLO = {"type": "hello"}


def token_until(stack: Stack, token: str, moment: float) -> str:
    """Return a token like another that expires at some moment, signed by the stack's own key."""
    secret = (stack.var_dir / "secrets" / "jwt_secret").read_text().strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, "jti": f"until-{moment}", "exp": moment}, secret, algorithm="HS256")


def test_who_says_no_hello_is_closed_in_time(single: Stack) -> None:
    with StreamSocket(single.port) as socket:
        socket.say(type="ping")
        frames, close_code = socket.hear_all()

    assert [frame["type"] for frame in frames] == ["pong", "error"]
    assert close_code == 1008


def test_events_before_the_hello_are_refused(single: Stack, token: str) -> None:
    with StreamSocket(single.port) as socket:
        assert socket.ask(dict(MEMBERS))["code"] == "invalid_frame"
        assert socket.greet(token)["type"] == "ready"
        socket.say(type="event", seq=1, event={**MEMBERS, "account_id": "before", "event_id": f"{time.time_ns()}"})
        assert socket.hear()["type"] == "score"


@pytest.mark.parametrize(
    "hello",
    [
        HELLO,
        {**HELLO, "token": ""},
        {**HELLO, "token": "a.b.c"},
        {**HELLO, "token": "x" * 60_000},
        {**HELLO, "token": "e30.e30."},
        {**HELLO, "token": "\N{SAILBOAT}"},
        {**HELLO, "token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
    ],
)
def test_a_token_that_is_none_closes_the_socket(single: Stack, hello: dict[str, str]) -> None:
    with StreamSocket(single.port) as socket:
        socket.say(**hello)
        frames, close_code = socket.hear_all()

    assert [frame["type"] for frame in frames] == ["error"]
    assert (frames[0]["code"] in ("token_missing", "token_invalid"), close_code) == (True, 1008)


def test_an_expired_token_closes_the_socket(single: Stack, token: str) -> None:
    with StreamSocket(single.port) as socket:
        socket.say(type="hello", token=token_until(single, token, time.time() - 1))
        frames, close_code = socket.hear_all()

    assert ([frame["code"] for frame in frames], close_code) == (["token_expired"], 1008)


def test_a_token_that_expires_must_be_renewed_in_time(single: Stack, token: str) -> None:
    with StreamSocket(single.port) as socket, StreamSocket(single.port) as renewed:
        for each in (socket, renewed):
            assert each.greet(token_until(single, token, time.time() + 3))["type"] == "ready"
        for each in (socket, renewed):
            assert each.hear()["code"] == "token_expired"
            if each is renewed:
                assert each.greet(token)["type"] == "ready"

        assert socket.close_code() == 1008
        assert renewed.ask({**MEMBERS, "account_id": "renewed", "event_id": f"{time.time_ns()}"})["type"] == "score"


@pytest.mark.parametrize("resume", ["", ".", "x" * 60_000, "a.b", "*.*", "\x00.\x00", "\N{SAILBOAT}.\N{SAILBOAT}"])
def test_a_session_that_is_none_is_not_resumed_and_a_new_one_may_begin(single: Stack, token: str, resume: str) -> None:
    with StreamSocket(single.port) as socket:
        refused = socket.greet(token, resume=resume)
        assert (refused["type"], refused["code"]) == ("error", "session_not_found")
        assert socket.greet(token)["type"] == "ready"


def test_a_second_hello_for_another_session_is_refused(single: Stack, token: str, socket: StreamSocket) -> None:
    with StreamSocket(single.port) as other:
        resume = other.greet(token)["resume"]
        assert socket.greet(token, resume=resume)["code"] == "invalid_frame"
        other.say(type="ping")
        assert other.hear() == {"type": "pong"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": "websocket", "Connection": "Upgrade"}, 400),
        ({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "12"}, 400),
        ({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "AAAA"}, 400),
        ({}, 426),
        ({"Upgrade": "h2c", "Connection": "Upgrade"}, 426),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "\xff"}, 401),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_handshake_that_is_none_is_answered_in_plain_http(
    single: Stack, headers: dict[str, str], status: int
) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = httpx.get(f"{single.url}/api/v1/fraud/stream", headers=raw)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("sent", [b"GET /api/v1/fraud/stream HT", handshake_bytes(80, "fraud")[:-2]])
def test_half_a_handshake_keeps_nobody_out(single: Stack, token: str, sent: bytes) -> None:
    halves = [sockets.create_connection(("127.0.0.1", single.port)) for _ in range(200)]
    try:
        for byte in (sent[:-1], sent[-1:]):
            for half in halves:
                half.sendall(byte)
        with StreamSocket(single.port) as socket:
            assert socket.greet(token)["type"] == "ready"
    finally:
        for half in halves:
            half.close()


def test_a_frame_that_comes_with_the_handshake_ends_as_no_hello_does(single: Stack, token: str) -> None:
    """RFC 6455 has clients wait for the answer first (§4.1)."""
    hello = text_bytes(f'{{"type":"hello","token":"{token}"}}')
    with StreamSocket(single.port, behind_handshake=hello) as socket:
        frames, close_code = socket.hear_all()

    assert ([frame["type"] for frame in frames], close_code) == (["error"], 1008)


def test_no_compression_is_agreed_to(single: Stack, token: str) -> None:
    with StreamSocket(single.port, "fraud", "Sec-WebSocket-Extensions: permessage-deflate") as socket:
        assert b"permessage-deflate" not in socket.head
        assert socket.greet(token)["type"] == "ready"
