"""A WebSocket over a pair of sockets: whole messages, in order, within bounds, and an end that says why."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import gevent
import pytest
from gevent import socket
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage

from app.errors import InvalidFrame
from app.web.sockets import connection as module
from app.web.sockets.connection import (
    CLOSING_S,
    EVENTS_IN_A_ROW,
    MOST_WAITING_BYTES,
    RECEIVED_AT_ONCE,
    Closed,
    Connection,
)
from app.web.sockets.wire import SocketWire

PATIENCE_S = 5.0
LARGEST = 1000


class Client:
    """The other end: sends events or bytes, and collects what comes."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.frames = Frames(ConnectionType.CLIENT)

    def send(self, *events: Event) -> None:
        self.end.sendall(b"".join(self.frames.send(event) for event in events))

    def events(self, until: Callable[[Event], bool]) -> list[Event]:
        """Return what comes up to the first event that is `until`."""
        seen: list[Event] = []
        with gevent.Timeout(PATIENCE_S):
            while not any(map(until, seen)):
                self.frames.receive_data(self.end.recv(65536) or None)
                seen += self.frames.events()
        return seen

    def close_code(self) -> int:
        """Return with what the server closed."""
        last = self.events(lambda event: isinstance(event, CloseConnection))[-1]
        assert isinstance(last, CloseConnection)
        return last.code


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Client]]:
    server, client = socket.socketpair()
    with server, client:
        yield Connection(SocketWire(server), Frames(ConnectionType.SERVER), largest_frame_bytes=LARGEST), Client(client)


@pytest.fixture
def connection(ends: tuple[Connection, Client]) -> Connection:
    return ends[0]


@pytest.fixture
def client(ends: tuple[Connection, Client]) -> Client:
    return ends[1]


def receive(connection: Connection) -> str:
    """Return the next message; fail where none comes."""
    with gevent.Timeout(PATIENCE_S):
        return connection.receive()


def test_messages_come_whole_and_in_order(connection: Connection, client: Client) -> None:
    client.send(Message("a"), TextMessage("b", message_finished=False), TextMessage("ä"), Message(""))

    assert [receive(connection) for _ in range(3)] == ["a", "bä", ""]
    with gevent.Timeout(0.01, False):
        pytest.fail(f"There was {connection.receive()!r}, which nobody sent.")


def test_a_ping_is_answered_between_messages(connection: Connection, client: Client) -> None:
    client.send(Ping(b"x"), Message("a"))

    assert receive(connection) == "a"
    assert client.events(lambda event: isinstance(event, Pong)) == [Pong(b"x")]


def test_a_binary_message_is_refused_and_the_next_is_read(connection: Connection, client: Client) -> None:
    client.send(BytesMessage(b"\x00"), Message("a"))

    with pytest.raises(InvalidFrame):
        receive(connection)
    assert receive(connection) == "a"


def test_pieces_of_nothing_take_no_memory(connection: Connection, client: Client) -> None:
    receiving = gevent.spawn(connection.receive)
    client.send(*[TextMessage("", message_finished=False)] * 1000)
    gevent.sleep(0)
    assert connection._message == []

    client.send(TextMessage("a", message_finished=True))
    assert receiving.get(timeout=PATIENCE_S) == "a"


def test_who_floods_lets_others_have_their_turn(connection: Connection, client: Client) -> None:
    turns: list[str] = []
    client.send(*[Pong(b"x" * 100)] * (4 * RECEIVED_AT_ONCE // 100), Message("a"))
    gevent.spawn(turns.append, "other")
    turns.append(receive(connection))

    assert turns == ["other", "a"]


@pytest.mark.parametrize("piece", [Pong(b""), Ping(b""), TextMessage("", message_finished=False)])
def test_who_sends_much_of_nothing_lets_others_have_their_turn(
    connection: Connection, client: Client, piece: Event
) -> None:
    """All of it comes with one read."""
    turns: list[int] = []
    client.send(*[piece] * (4 * EVENTS_IN_A_ROW), TextMessage("a"))
    receiving = gevent.spawn(connection.receive)
    while not receiving.ready():
        turns.append(connection._events)
        gevent.sleep(0)

    assert receiving.get() == "a"
    assert max(after - before for before, after in pairwise(turns)) <= EVENTS_IN_A_ROW


def test_nothing_is_taken_that_came_before_the_end(connection: Connection, client: Client) -> None:
    """It is closed by another greenlet, in whose turn the rest of a read was not looked at."""
    client.send(*[Ping(b"")] * (2 * EVENTS_IN_A_ROW), Message("a"), CloseConnection(1000))
    receiving = gevent.spawn(connection.receive)
    while connection._events < EVENTS_IN_A_ROW:
        gevent.sleep(0)
    connection.close(1001)
    receiving.join(PATIENCE_S)
    with gevent.Timeout(CLOSING_S / 2):
        connection.end()

    assert isinstance(receiving.exception, Closed)
    assert (receiving.exception.close_code, client.close_code()) == (1001, 1001)


@pytest.mark.parametrize("sort", [TextMessage, BytesMessage])
def test_a_message_that_is_too_large_ends_it(connection: Connection, client: Client, sort: type) -> None:
    piece = "x" * 600 if sort is TextMessage else b"x" * 600
    client.send(sort(piece, message_finished=False), sort(piece, message_finished=False))

    with pytest.raises(Closed):
        receive(connection)
    assert (client.close_code(), connection.close_code, connection.is_open) == (1009, 1009, False)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x82\x00\x00\x00\x00\xc3\x28", 1007),  # no UTF-8
        (b"\x81\x83\x00\x00\x00\x00\xed\xa0\x80", 1007),  # a lone surrogate
        (b"\x81\x01a", 1002),  # without a mask
        (b"\xff\x80\x00\x00\x00\x00", 1002),  # of no known sort
    ],
)
def test_what_is_no_frame_ends_it(connection: Connection, client: Client, data: bytes, code: int) -> None:
    client.end.sendall(data)

    with pytest.raises(Closed):
        receive(connection)
    assert client.close_code() == code


def test_a_client_that_closes_is_answered(connection: Connection, client: Client) -> None:
    client.send(CloseConnection(1000, "done"))

    with pytest.raises(Closed) as caught:
        receive(connection)
    assert caught.value.close_code == 1000
    assert client.close_code() == 1000


def test_a_client_that_vanishes_is_noticed(connection: Connection, client: Client) -> None:
    client.end.close()

    with pytest.raises(Closed):
        receive(connection)
    with pytest.raises(Closed):
        connection.send("a")


def test_a_closed_one_sends_no_more(connection: Connection, client: Client) -> None:
    connection.send("a")
    connection.close(1001, "The worker drains.")
    connection.close(1008)

    assert client.events(lambda event: isinstance(event, CloseConnection)) == [
        TextMessage("a"),
        CloseConnection(1001, "The worker drains."),
    ]
    with pytest.raises(Closed):
        connection.send("b")


def test_many_greenlets_send_whole_frames(connection: Connection, client: Client) -> None:
    sent = [f"{number}:" + "x" * 30_000 for number in range(40)]
    senders = [gevent.spawn(connection.send, frame) for frame in sent]
    gevent.joinall(senders, timeout=PATIENCE_S, raise_error=True)
    connection.close(1000)
    got = client.events(lambda event: isinstance(event, CloseConnection))

    assert _texts(got) == sent


def test_who_does_not_read_is_closed_in_order(
    connection: Connection, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOW_READER_S", 0.1)
    frame = "x" * 10_000
    for _ in range(400):
        connection.send(frame)
    assert connection._waiting_bytes > MOST_WAITING_BYTES
    with pytest.raises(Closed):
        receive(connection)

    got = client.events(lambda event: isinstance(event, CloseConnection))
    assert _texts(got) == [frame] * 400
    assert isinstance(got[-1], CloseConnection)
    assert got[-1].code == 1008


def test_nobody_waits_for_who_does_not_read(connection: Connection) -> None:
    """The kernel's room is soon used up; the sender goes on."""
    with gevent.Timeout(PATIENCE_S):
        for _ in range(100):
            connection.send("x" * 30_000)

    assert connection._waiting_bytes > MOST_WAITING_BYTES


def test_one_that_is_cut_ends_under_its_reader(connection: Connection) -> None:
    receiving = gevent.spawn(connection.receive)
    gevent.sleep(0)
    connection.cut()
    receiving.join(PATIENCE_S)

    assert isinstance(receiving.exception, Closed)
    assert not connection.is_open


def test_the_end_waits_for_the_other_side(connection: Connection, client: Client) -> None:
    connection.close(1000)
    ending = gevent.spawn(connection.end)
    client.send(Message("late"), CloseConnection(1000))
    ending.join(PATIENCE_S)

    assert ending.successful()
    assert client.close_code() == 1000
    assert client.end.recv(1) == b""


def test_the_end_does_not_wait_for_what_came_already(connection: Connection, client: Client) -> None:
    receiving = gevent.spawn(connection.receive)
    gevent.sleep(0)
    connection.close(1001)
    client.send(CloseConnection(1001))
    receiving.join(PATIENCE_S)
    with gevent.Timeout(CLOSING_S / 2):
        connection.end()

    assert client.close_code() == 1001


def _texts(events: list[Event]) -> list[str]:
    """Return the whole text messages among events."""
    texts, pieces = [], ""
    for event in events:
        if isinstance(event, TextMessage):
            pieces += event.data
            if event.message_finished:
                texts.append(pieces)
                pieces = ""
    return texts
