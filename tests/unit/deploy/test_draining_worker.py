"""What happens to connections: what is read of them without gunicorn's parser, and what while a worker drains."""

import random
import socket
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import gevent
import gevent.socket
import orjson
import pytest

from app.scenarios.tensor_frames import pack_answer
from app.web.answers import PIECE_BYTES, Answer
from app.web.fast_path.lane import Reply
from deploy.draining_worker import GRACE_S, DrainingWorker, end_when_read, is_readable, send_reply
from tests.factories.ranked_rows import RECOMMENDATIONS, items_of, publish_ranking_model
from tests.factories.served_connections import Received, Serving, hot_request, serving
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker, make_worker

Pair = tuple[socket.socket, socket.socket]
LIVE = b"GET /health/live HTTP/1.1\r\nHost: galley\r\n\r\n"


@pytest.fixture
def pair() -> Iterator[Pair]:
    server, client = socket.socketpair()
    with server, client:
        server.settimeout(5)
        yield server, client


@pytest.fixture
def bearer(worker: WebWorker) -> dict[str, str]:
    publish_ranking_model(worker)
    return worker.bearer()


@pytest.fixture
def served(worker: WebWorker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(worker.services.admission, "_longest_wait_s", 60.0)  # A machine may stand still for a second.
    with serving(worker) as served:
        yield served


def asking(user_id: int, bearer: dict[str, str], *headers: bytes) -> bytes:
    return hot_request(orjson.dumps({"user_id": user_id, "k": 2}), bearer, *headers)


def assert_answers(answer: Received, user_id: int) -> None:
    assert (answer.status, answer.headers["connection"]) == (200, "keep-alive")
    assert (answer.json["user_id"], answer.json["items"]) == (user_id, items_of(user_id, 2))


def test_idle_connection_reads_its_end(pair: Pair) -> None:
    server, _ = pair
    end_when_read(server)

    assert server.recv(10) == b""


def test_request_that_has_arrived_is_read_and_answered(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"GET /")
    end_when_read(server)
    client.sendall(b" HTTP/1.1")
    server.sendall(b"answer")

    assert server.recv(100) == b"GET / HTTP/1.1"
    assert client.recv(100) == b"answer"


def test_what_slips_in_before_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = gevent.socket.socketpair()
    with server, client:
        monkeypatch.setattr("deploy.draining_worker.is_readable", lambda _client: client.send(b"GET /") == 0)
        reader = gevent.spawn(server.recv, 10)
        gevent.sleep(0)
        end_when_read(server)

        assert reader.get(timeout=5) == b"GET /"


def test_a_client_that_is_gone_already_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.draining_worker.is_readable", lambda _client: False)
    with socket.socket() as unconnected:
        end_when_read(unconnected)


def test_readable_says_without_waiting(pair: Pair) -> None:
    server, client = pair

    assert not is_readable(server)
    client.sendall(b"x")
    assert is_readable(server)


def test_large_replies_go_out_in_pieces(pair: Pair) -> None:
    server, client = pair
    body = random.Random(1).randbytes(2 * PIECE_BYTES + 1)
    sending = gevent.get_hub().threadpool.spawn(
        send_reply, server, Reply(HTTPStatus.OK, [("Content-Length", str(len(body)))], Answer(body))
    )
    received = bytearray()
    while not received.endswith(body[-100:]):
        received += client.recv(65536)

    assert received.partition(b"\r\n\r\n")[2] == body
    sending.get()


def test_hot_and_other_requests_share_a_connection(served: Serving, bearer: dict[str, str]) -> None:
    connection = served.connect()
    for user_id in (1, 2):
        assert_answers(connection.ask(asking(user_id, bearer)), user_id)
    assert connection.ask(LIVE).json == {"live": True}
    assert_answers(connection.ask(asking(3, bearer)), 3)
    assert_answers(connection.ask(asking(4, bearer, b"Accept:*/*")), 4)

    # gunicorn's is what is not plain, or not hot.
    assert served.parsed == ["/health/live", RECOMMENDATIONS]
    assert served.worker.nr == 5


def test_requests_behind_each_other_are_answered_in_order(served: Serving, bearer: dict[str, str]) -> None:
    connection = served.connect()
    hot = [asking(user_id, bearer) for user_id in range(1, 9)]
    connection.send(b"".join([LIVE, *hot[:7], LIVE, hot[7]]))

    assert connection.receive().json == {"live": True}
    for user_id in range(1, 8):
        assert_answers(connection.receive(), user_id)
    assert connection.receive().json == {"live": True}
    assert_answers(connection.receive(), 8)
    assert served.parsed == ["/health/live", "/health/live"]


@pytest.mark.parametrize("place", [1, 20, -100, -14, -13, -1])
def test_a_request_in_pieces_is_answered(served: Serving, bearer: dict[str, str], place: int) -> None:
    connection, data = served.connect(), asking(7, bearer)
    connection.ask(asking(1, bearer))

    assert_answers(connection.ask(data[:place], data[place:]), 7)
    assert_answers(connection.ask(asking(8, bearer)), 8)


def test_a_client_that_has_said_all_is_answered(served: Serving, bearer: dict[str, str]) -> None:
    connection = served.connect()
    connection.send(asking(1, bearer), asking(2, bearer) + asking(3, bearer))
    connection.sock.shutdown(socket.SHUT_WR)

    for user_id in (1, 2, 3):
        assert_answers(connection.receive(), user_id)
    assert connection.is_over()


def test_a_client_that_has_gone_is_no_failure(
    served: Serving, bearer: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    connection = served.connect()
    connection.ask(asking(1, bearer))
    connection.sock.sendall(asking(2, bearer) * 20)
    connection.sock.close()
    connection.greenlet.get(timeout=10)

    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture
def _short_slices() -> Iterator[None]:
    """Let gevent look at sockets after the tenth of a millisecond that greenlets run without it, not after five."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_short_slices")
def test_who_is_refused_again_and_again_lets_others_in(served: Serving, bearer: dict[str, str]) -> None:
    flood, other = served.connect(), served.connect()
    for connection in (flood, other):
        connection.ask(asking(1, bearer))
    stranger = {"Authorization": "Bearer nobody"}
    # What the kernel takes of their answers without anybody reading.
    flood.sock.sendall(asking(2, stranger) * 160)
    other.sock.sendall(asking(3, stranger))

    assert other.receive().status == 401
    # gevent looks at the clock after every fiftieth.
    assert served.worker.nr < 140
    assert {flood.receive().status for _ in range(160)} == {401}


def test_answers_are_nobody_elses(served: Serving, bearer: dict[str, str]) -> None:
    users = random.Random(5).sample(range(10**9), 32 * 8)

    def ask(own: list[int]) -> list[str]:
        connection, ids = served.connect(), []
        for user_id in own:
            answer = connection.ask(asking(user_id, bearer))
            assert_answers(answer, user_id)
            ids.append(answer.headers["x-request-id"])
        return ids

    asked = [gevent.spawn(ask, users[place::32]) for place in range(32)]
    gevent.joinall(asked, raise_error=True)

    assert len({request_id for one in asked for request_id in one.value}) == len(users)


def test_a_slow_reader_of_a_large_answer_gets_all_of_it(
    worker: WebWorker, served: Serving, bearer: dict[str, str]
) -> None:
    body = random.Random(1).randbytes(6 * PIECE_BYTES + 1)
    worker.publish()
    worker.inference.answer = lambda _row, _top_k: pack_answer(body, 0)
    slow, other = served.connect(), served.connect()
    request = hot_request(b"{}", bearer, path=b"/v2/models/digits/infer")
    slow.sock.sendall(request * 2)
    other.sock.sendall(request)

    assert other.receive().body == body
    assert [slow.receive().body for _ in range(2)] == [body, body]
    assert served.parsed == []


def test_a_silent_connection_ends(worker: WebWorker, bearer: dict[str, str]) -> None:
    with serving(worker, keepalive=1) as served:
        running = gevent.spawn(served.worker.run)
        connection = served.connect()
        for user_id in (1, 2):
            assert_answers(connection.ask(asking(user_id, bearer)), user_id)

        assert connection.is_over()
        served.worker.alive = False
        running.get(timeout=10)


def test_while_draining_the_next_answer_is_the_last(served: Serving, bearer: dict[str, str]) -> None:
    connection = served.connect()
    for user_id in (1, 2):
        connection.ask(asking(user_id, bearer))
    served.worker.alive = False

    answer = connection.ask(asking(3, bearer))

    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert answer.json["items"] == items_of(3, 2)
    assert connection.is_over()


def test_while_draining_only_silent_connections_end(served: Serving, bearer: dict[str, str]) -> None:
    connection = served.connect()
    for user_id in (1, 2):
        connection.ask(asking(user_id, bearer))
    wait_until(lambda: served.worker._idle_since, sleep=gevent.sleep)
    served.worker._close_idle(GRACE_S)
    assert_answers(connection.ask(asking(3, bearer)), 3)

    wait_until(lambda: served.worker._idle_since, sleep=gevent.sleep)
    _age(served.worker, 2 * GRACE_S)
    served.worker._close_idle(GRACE_S)

    assert connection.is_over()
    assert not served.worker._idle_since


def test_a_worker_that_has_served_enough_serves_on_until_its_successor_does(
    worker: WebWorker, bearer: dict[str, str]
) -> None:
    with serving(worker, max_requests=2) as served:
        connection = served.connect()
        for user_id in (1, 2, 3):
            assert_answers(connection.ask(asking(user_id, bearer)), user_id)
        assert connection.ask(LIVE).headers["connection"] == "keep-alive"
        assert (served.worker.alive, served.worker.nr) == (True, 4)

        served.worker.alive = False
        assert connection.ask(asking(4, bearer)).headers["connection"] == "close"


def test_without_a_fast_path_gunicorn_reads_everything(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, fast_path=False)
    publish_ranking_model(worker)
    bearer = worker.bearer()
    with serving(worker) as served:
        connection = served.connect()
        for user_id in (1, 2):
            assert_answers(connection.ask(asking(user_id, bearer)), user_id)

        assert served.parsed == [RECOMMENDATIONS] * 2
    worker.services.close()


def _age(worker: DrainingWorker, seconds: float) -> None:
    """Let all idle connections have been silent for so long."""
    worker._idle_since.update({greenlet: since - seconds for greenlet, since in worker._idle_since.items()})
