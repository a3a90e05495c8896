"""The load over sockets does what the contract asks of clients, counts what comes of it, and times it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import simple_websocket
from flask import Flask, request
from flask_sock import Sock
from werkzeug.serving import make_server

from tests.factories.waiting import wait_until
from tests.load.socket_frames import Unreadable
from tests.load.socket_load import Fleet, Pace, StreamTarget, fleet
from tests.load.stream_payments import Payers

Answering = Callable[[simple_websocket.Server, dict[str, Any]], None]
GRANTED = 4


class Server:
    """Answers frames as it is told, and remembers them."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.sockets: list[simple_websocket.Server] = []
        self.tokens: list[str | None] = []
        self.answer: Answering = good
        self.url = ""

    def converse(self, ws: simple_websocket.Server) -> None:
        self.sockets.append(ws)
        self.tokens.append(request.headers.get("Authorization"))
        assert orjson.loads(ws.receive()) == {"type": "hello"}
        ws.send(orjson.dumps({"type": "ready", "last_seq": 0, "credits": GRANTED}).decode())
        while (frame := orjson.loads(ws.receive()))["type"] != "bye":
            self.frames.append(frame)
            if frame["type"] == "event":
                self.answer(ws, frame)


def say(ws: simple_websocket.Server, **frame: Any) -> None:
    ws.send(orjson.dumps(frame).decode())


def good(ws: simple_websocket.Server, frame: dict[str, Any]) -> None:
    say(ws, type="score", seq=frame["seq"], event_id=frame["event"]["event_id"], score=0.5, credits=GRANTED)


def fail(ws: simple_websocket.Server, frame: dict[str, Any], *, is_retryable: bool = False) -> None:
    say(ws, type="error", seq=frame["seq"], code="broken", detail="No.", retryable=is_retryable)


@pytest.fixture
def server() -> Iterator[Server]:
    made, app = Server(), Flask(__name__)
    Sock(app).route("/stream")(made.converse)
    http = make_server("127.0.0.1", 0, app, threaded=True)
    made.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def sockets(server: Server) -> Iterator[Fleet]:
    with fleet(StreamTarget(url=server.url, path="/stream", tokens=("one", "two"))) as made:
        yield made


def test_events_are_numbered_and_tokens_take_turns(server: Server, sockets: Fleet) -> None:
    opened = sockets.open(["a", "b", "c"], Payers())

    report = sockets.drive(opened[:1], Pace(in_flight=2, count=10))

    assert (report.good, report.failed, report.retried) == (10, {}, {})
    assert [frame["seq"] for frame in server.frames] == list(range(1, 11))
    assert len({frame["event"]["event_id"] for frame in server.frames}) == 10
    assert server.tokens == ["Bearer one", "Bearer two", "Bearer one"]
    assert 0 < report.times.p50 <= report.times.p99 <= report.times.max


def test_no_more_are_in_flight_than_are_wanted_and_granted(server: Server, sockets: Fleet) -> None:
    opened = sockets.open(["a"], Payers())
    in_flight = []
    server.answer = lambda ws, frame: (in_flight.append(opened[0].unanswered), good(ws, frame))[1]

    sockets.drive(opened, Pace(in_flight=GRANTED + 3, count=20))

    assert max(in_flight) == GRANTED


def test_what_fails_for_the_moment_is_sent_again_with_its_number(server: Server, sockets: Fleet) -> None:
    def answer(ws: simple_websocket.Server, frame: dict[str, Any]) -> None:
        again = [other["seq"] for other in server.frames].count(frame["seq"]) > 1
        good(ws, frame) if again else fail(ws, frame, is_retryable=True)

    server.answer = answer
    report = sockets.drive(sockets.open(["a"], Payers()), Pace(in_flight=1, count=3))

    assert (report.good, report.failed, report.retried) == (3, {}, {"broken": 3})
    assert [frame["seq"] for frame in server.frames] == [1, 1, 2, 2, 3, 3]
    assert server.frames[0] == server.frames[1]


def test_errors_and_answers_to_other_events_are_failures(server: Server, sockets: Fleet) -> None:
    def answer(ws: simple_websocket.Server, frame: dict[str, Any]) -> None:
        if frame["seq"] % 2:
            fail(ws, frame)
        else:
            say(ws, type="score", seq=frame["seq"], event_id="another's", score=0.5)

    server.answer = answer
    report = sockets.drive(sockets.open(["a"], Payers()), Pace(in_flight=1, count=4))

    assert (report.good, report.failed, report.events) == (0, {"broken": 2, "wrong answer": 2}, 4)


def test_events_of_a_socket_that_is_closed_failed(server: Server, sockets: Fleet) -> None:
    server.answer = lambda ws, _frame: ws.close(1008)
    opened = sockets.open(["a"], Payers())
    reports = [sockets.drive(opened, Pace(in_flight=3, seconds=10.0)) for _ in range(2)]

    assert [(report.good, report.failed) for report in reports] == [(0, {"closed 1008": 3}), (0, {"closed before": 1})]


def test_idle_sockets_answer_pings_while_others_are_driven(server: Server, sockets: Fleet) -> None:
    def answer(ws: simple_websocket.Server, frame: dict[str, Any]) -> None:
        say(server.sockets[1], type="ping")
        good(ws, frame)

    server.answer = answer
    driven, _idle = sockets.open(["a", "b"], Payers())
    report = sockets.drive([driven], Pace(in_flight=1, count=3))

    sockets.attend(0.1)
    wait_until(lambda: server.frames.count({"type": "pong"}) == 3)
    assert (report.good, report.failed) == (3, {})


def test_an_answer_to_nothing_ends_the_load(server: Server, sockets: Fleet) -> None:
    server.answer = lambda ws, _frame: say(ws, type="score", seq=99)
    with pytest.raises(Unreadable, match="answers nothing"):
        sockets.drive(sockets.open(["a"], Payers()), Pace(in_flight=1, count=1))


def test_a_refusal_is_told(server: Server) -> None:
    with fleet(StreamTarget(url=server.url, path="/nowhere")) as lost, pytest.raises(Unreadable, match="404"):
        lost.open(["a"], Payers())
