"""What the load generator sends and reads is what wsproto, which servers use, reads and sends."""

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Pong, Request, TextMessage

from tests.load.socket_frames import (
    Frame,
    FrameReader,
    Opcode,
    Unreadable,
    check_handshake,
    handshake,
    pong_frame,
    text_frame,
)

SIZES = [0, 1, 125, 126, 65_535, 65_536]


@pytest.fixture
def server() -> Connection:
    return Connection(ConnectionType.SERVER)


@pytest.mark.parametrize("size", SIZES)
def test_text_is_read_by_a_server(server: Connection, size: int) -> None:
    server.receive_data(text_frame(b"x" * size))

    texts = [event.data for event in server.events() if isinstance(event, TextMessage)]
    assert "".join(texts) == "x" * size


def test_pong_is_read_by_a_server(server: Connection) -> None:
    server.receive_data(pong_frame(b"there?"))

    assert [event.payload for event in server.events() if isinstance(event, Pong)] == [b"there?"]


@pytest.mark.parametrize("step", [1, 7, 10**6])
def test_frames_of_a_server_are_read_however_they_arrive(server: Connection, step: int) -> None:
    texts = ["x" * size for size in SIZES]
    sent = b"".join(server.send(TextMessage(data=text)) for text in texts)
    sent += server.send(Ping(payload=b"there?")) + server.send(CloseConnection(1001, "gone"))
    reader = FrameReader()

    frames = [frame for at in range(0, len(sent), step) for frame in reader.frames(sent[at : at + step])]

    assert frames[:-2] == [Frame(Opcode.TEXT, text.encode()) for text in texts]
    assert frames[-2:] == [Frame(Opcode.PING, b"there?"), Frame(Opcode.CLOSE, (1001).to_bytes(2, "big") + b"gone")]


@pytest.mark.parametrize("frame", [b"\x01\x00", b"\xc1\x00", b"\x82\x00", text_frame(b"x")])
def test_frame_that_is_cut_or_compressed_or_binary_or_masked_is_refused(frame: bytes) -> None:
    with pytest.raises(Unreadable, match=frame[:2].hex()):
        FrameReader().frames(frame)


def test_handshake_is_agreed_to() -> None:
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(handshake("127.0.0.1:80", "/stream", "abc"))
    (request,) = server.events()

    assert isinstance(request, Request)
    assert (request.host, request.target, request.extensions) == ("127.0.0.1:80", "/stream", [])
    assert (b"authorization", b"Bearer abc") in [(name.lower(), value) for name, value in request.extra_headers]
    check_handshake(server.send(AcceptConnection()))


@pytest.mark.parametrize("head", [b"HTTP/1.1 401 Unauthorized\r\n\r\n", b"HTTP/1.1 101 Sure\r\n\r\n"])
def test_refusal_is_told(head: bytes) -> None:
    with pytest.raises(Unreadable, match="refused a WebSocket"):
        check_handshake(head)
