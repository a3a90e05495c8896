"""Streams of jobs as a client's connection sees them, through gunicorn's own loop: their end says whether all came."""

from collections.abc import Iterator

import gevent
import pytest

from app.web.followed_answers import followed_answers_of
from tests.factories.job_posts import JOBS, json_body, plan_chunks, write_chunks
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.served_connections import Connection, Serving, serving
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker

LAST_CHUNK = b"\r\n0\r\n\r\n"
FIRST, SECOND = b'{"row":1,"user_id":7}\n', b'{"row":2,"user_id":8}\n'


@pytest.fixture
def served(worker: WebWorker) -> Iterator[Serving]:
    with serving(worker) as served:
        yield served


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    publish_ranking_model(worker)
    return worker.bearer(scopes=frozenset({"jobs"}))


@pytest.fixture
def job_id(worker: WebWorker, headers: dict[str, str]) -> str:
    """A job with three chunks of a row each, two of which are done."""
    response = worker.app.test_client().post(JOBS, headers=headers, **json_body())
    job_id: str = response.json["id"] if response.json else ""
    plan_chunks(worker, job_id, rows=1, count=3)
    write_chunks(worker, job_id, FIRST, SECOND)
    return job_id


def ask(served: Serving, path: str, headers: dict[str, str]) -> Connection:
    connection = served.connect()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    connection.send(f"GET {path} HTTP/1.1\r\nHost: galley\r\n{lines}\r\n".encode())
    return connection


def read_until(connection: Connection, end: bytes) -> bytes:
    """Return what comes up to these bytes, or to the end of the connection."""
    received = b""
    while end not in received and (piece := connection.sock.recv(65536)):
        received += piece
    return received


def test_whole_results_end_with_the_last_chunk(served: Serving, headers: dict[str, str], job_id: str) -> None:
    received = read_until(ask(served, f"{JOBS}/{job_id}/results", headers), LAST_CHUNK)

    assert b"HTTP/1.1 200 OK" in received
    assert b"X-Next-Row: 3" in received
    assert FIRST in received
    assert SECOND in received
    assert received.endswith(LAST_CHUNK)


def test_results_that_meet_a_lost_file_never_end_well(
    worker: WebWorker, served: Serving, headers: dict[str, str], job_id: str
) -> None:
    worker.services.job_files.delete(job_id, "results/000001.1.ndjson")

    received = read_until(ask(served, f"{JOBS}/{job_id}/results", headers), LAST_CHUNK)

    assert FIRST in received
    assert LAST_CHUNK not in received


def test_slow_reader_holds_nobody(worker: WebWorker, served: Serving, headers: dict[str, str], job_id: str) -> None:
    name = "results/000000.1.ndjson"
    worker.services.job_files.delete(job_id, name)
    large = b'{"row":1,"x":"%b"}\n' % (b"x" * 20_000_000)
    with worker.services.job_files.writer(job_id, name) as file:
        file.write(large)

    slow = ask(served, f"{JOBS}/{job_id}/results", headers)
    others = [read_until(ask(served, f"{JOBS}/{job_id}/errors", headers), LAST_CHUNK) for _ in range(3)]
    received = len(read_until(slow, LAST_CHUNK))

    assert all(b"HTTP/1.1 200 OK" in other for other in others)
    assert received > len(large)


def test_events_come_as_they_happen_and_end_with_the_worker(
    worker: WebWorker, served: Serving, headers: dict[str, str], job_id: str
) -> None:
    connection = ask(served, f"{JOBS}/{job_id}/events", headers)
    begin = read_until(connection, b"event: progress")
    followed_answers_of(worker.app).end()
    rest = read_until(connection, LAST_CHUNK[2:])

    assert b"Content-Type: text/event-stream" in begin
    assert rest.endswith(LAST_CHUNK[2:])
    assert b"event: end" not in begin + rest


def test_client_that_goes_is_noticed(worker: WebWorker, served: Serving, headers: dict[str, str], job_id: str) -> None:
    connection = ask(served, f"{JOBS}/{job_id}/events", headers)
    read_until(connection, b"event: progress")
    assert followed_answers_of(worker.app).count == 1

    connection.sock.close()
    write_chunks(worker, job_id, b'{"row":3}\n')
    wait_until(lambda: followed_answers_of(worker.app).count == 0, sleep=gevent.sleep)
