"""Hot requests on real connections of a real gunicorn: none lost, none swapped, however they come and it ends."""

import random
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest

from model_store.publisher import VersionDraft
from tests.factories.load import running_load
from tests.factories.oip_models import sums_draft
from tests.factories.oip_server import OipServer, running_oip_server
from tests.factories.plain_heads import plain_request
from tests.factories.ranking import RankingWorld, assert_same_answer, make_world, ranking_draft
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

RECOMMENDATIONS = "/api/v1/recommendations"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: galley\r\n\r\n"
CONNECTIONS, TURNS = 32, 12


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the server's processes outlive a test: it is the module's, and ends with it."""


@pytest.fixture(scope="module")
def world() -> RankingWorld:
    return make_world(users=300, items=400)


@pytest.fixture(scope="module")
def server(world: RankingWorld) -> Iterator[OipServer]:
    """A server that recommends and sums."""

    def drafts(folder: Path) -> list[VersionDraft]:
        return [ranking_draft(world, folder), sums_draft(folder)]

    # On a busy machine callers may wait: nobody is to be refused here.
    with running_oip_server(drafts, max_wait_s=20.0) as server:
        yield server


@pytest.fixture
def connection(server: OipServer) -> Iterator[socket.socket]:
    with connect(server) as connection:
        yield connection


def connect(server: OipServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def asking(server: OipServer, **members: Any) -> bytes:
    """Return a request for recommendations."""
    token = f"Authorization: Bearer {server.token}".encode()
    return plain_request(orjson.dumps(members), token, b"Content-Type: application/json")


class Reader:
    """Reads answers off a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")

    def next(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        status = int(self._file.readline().split()[1])
        lines = [line.decode() for line in iter(self._file.readline, b"\r\n")]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return status, headers, self._file.read(int(headers["content-length"]))

    def at_end(self) -> bool:
        """Say whether the other side closed."""
        return self._file.read(1) == b""


def test_answers_are_nobody_elses(server: OipServer, world: RankingWorld) -> None:
    def ask(seed: int) -> list[str]:
        random_, ids = random.Random(seed), []
        with connect(server) as connection:
            reader = Reader(connection)
            for _ in range(TURNS):
                user, k = int(random_.choice(world.users)), random_.randint(1, 20)
                exclude = tuple(int(item) for item in random_.sample(list(world.items), 3))
                connection.sendall(asking(server, user_id=user, k=k, exclude=exclude))
                status, headers, body = reader.next()
                assert status == 200, body
                assert_same_answer(body, world.answer(user, k, exclude))
                ids.append(headers["x-request-id"])
        return ids

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        ids = [request_id for one in pool.map(ask, range(CONNECTIONS)) for request_id in one]

    assert len(set(ids)) == CONNECTIONS * TURNS


def test_one_connection_takes_all_kinds(server: OipServer, connection: socket.socket, world: RankingWorld) -> None:
    users = [int(user) for user in world.users[:4]]
    hot = [asking(server, user_id=user, k=3) for user in users]
    reader = Reader(connection)
    connection.sendall(hot[0] + LIVE + hot[1] + hot[2])
    answers = [reader.next() for _ in range(4)]
    connection.sendall(hot[3][:70])
    connection.sendall(hot[3][70:-5])
    connection.sendall(hot[3][-5:])
    connection.shutdown(socket.SHUT_WR)
    answers.append(reader.next())

    assert [status for status, _, _ in answers] == [200] * 5
    for user, place in zip(users, (0, 2, 3, 4), strict=True):
        assert_same_answer(answers[place][2], world.answer(user, 3))
    assert answers[1][2] == b'{"live":true}'
    assert reader.at_end()


def test_a_slow_reader_of_a_large_answer_keeps_nobody_waiting(
    server: OipServer, connection: socket.socket, world: RankingWorld
) -> None:
    users = [int(user) for user in world.users[:250]]
    connection.sendall(asking(server, user_ids=users, k=400) * 2)
    with server.client() as others:
        for user in users[:20]:
            body = others.post(RECOMMENDATIONS, json={"user_id": user, "k": 2}).raise_for_status().content
            assert_same_answer(body, world.answer(user, 2))

    reader = Reader(connection)
    for _ in range(2):
        status, headers, body = reader.next()
        assert (status, headers["x-model-name"]) == (200, "recommender")
        assert len(body) > 2 * 2**20
        for user, result in zip(users, orjson.loads(body)["results"], strict=True):
            assert_same_answer(result, world.answer(user, 400))


def recommend(client: httpx.Client) -> httpx.Response:
    return client.post(RECOMMENDATIONS, json={"user_id": 1, "k": 2})


def test_the_end_of_a_server_loses_no_request(server: OipServer) -> None:
    with server.another_web() as web, running_load(web.client, recommend) as load, connect(web) as idle:
        assert web.process is not None
        reader = Reader(idle)
        for _ in range(2):
            idle.sendall(asking(web, user_id=1, k=2))
            assert reader.next()[1]["connection"] == "keep-alive"
        wait_until(lambda: len(load.outcomes) > 100, timeout_s=30)
        web.process.send_signal(signal.SIGTERM)

        assert reader.at_end()
        assert web.process.wait(timeout=30) == 0

    assert load.unanswered() == []
    assert set(load.statuses()) <= {200, 0}


def test_a_busy_connection_is_told_of_the_end(server: OipServer) -> None:
    told = ["keep-alive"]
    with server.another_web() as web, connect(web) as connection:
        assert web.process is not None
        reader = Reader(connection)
        connection.sendall(asking(web, user_id=1, k=2))
        reader.next()
        web.process.send_signal(signal.SIGTERM)
        while told[-1] == "keep-alive":
            connection.sendall(asking(web, user_id=1, k=2))
            status, headers, _ = reader.next()
            assert status == 200
            told.append(headers["connection"])

        assert told[-1] == "close"
        assert reader.at_end()


def test_workers_that_have_answered_enough_are_replaced(server: OipServer) -> None:
    with server.another_web(GUNICORN_CMD_ARGS="--max-requests 50 --workers 1") as web:
        first = workers_of(web)
        with running_load(web.client, recommend, threads=4) as load:
            wait_until(lambda: workers_of(web).isdisjoint(first) and load.statuses()[200] > 120, timeout_s=60)

    assert load.unanswered() == []
    assert set(load.statuses()) <= {200, 0, 503}


def workers_of(web: OipServer) -> set[int]:
    """Return the pids of the web's workers."""
    assert web.process is not None
    return {process.pid for process in psutil.Process(web.process.pid).children()}
