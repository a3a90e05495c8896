"""Both kinds of limits over a real Redis: shared by workers, and nobody's trouble when Redis hangs or holds rubbish."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.web.auth import requires
from app.web.limits import limited
from tests.factories.redis_server import RedisServer
from tests.factories.web import WebWorker, make_worker

TIMEOUT_S = 0.5
LIMITS = {"limit_inference": "3/hour", "limit_management": "3/hour", "limit_login_failures": "3/hour"}
ROUTES = ("/inference", "/management")
WRONG = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": "wrong"}


@pytest.fixture
def workers(tmp_path: Path, server: RedisServer) -> Iterator[list[WebWorker]]:
    """Two workers with one database and one Redis."""
    with ExitStack() as stack:
        made = [make_worker(tmp_path, redis_url=server.url, redis_timeout_s=TIMEOUT_S, **LIMITS) for _ in range(2)]
        for worker in made:
            stack.callback(worker.services.close)
            worker.app.add_url_rule("/inference", "i", limited("inference")(requires("infer")(lambda: "inferred")))
            worker.app.add_url_rule("/management", "m", requires("infer")(lambda: "managed"))
        yield made


@pytest.fixture
def clients(workers: list[WebWorker]) -> list[FlaskClient]:
    return [worker.app.test_client() for worker in workers]


@pytest.mark.parametrize("route", ROUTES)
def test_workers_share_a_limit(workers: list[WebWorker], clients: list[FlaskClient], route: str) -> None:
    headers = workers[0].bearer()
    answers = [clients[turn % 2].get(route, headers=headers) for turn in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert ["Retry-After" in answer.headers for answer in answers] == [False, False, False, True, True]


def test_both_kinds_answer_alike(workers: list[WebWorker], clients: list[FlaskClient]) -> None:
    headers = workers[0].bearer()
    for _ in range(4):
        inference, management = [clients[0].get(route, headers=headers) for route in ROUTES]
    own = {"request_id": "", "detail": ""}

    assert set(inference.headers.keys()) == set(management.headers.keys())
    assert inference.json | own == management.json | own
    assert inference.json["detail"].startswith("The caller is over its limit of 3 inference requests; try again in ")
    assert management.json["detail"].startswith("The caller is over its limit of 3 management requests; try again in ")


def test_workers_share_failed_logins(clients: list[FlaskClient]) -> None:
    statuses = [clients[turn % 2].post("/auth/token", data=WRONG).status_code for turn in range(5)]

    assert statuses == [401, 401, 401, 429, 429]


def test_a_hung_redis_holds_no_request_longer_than_a_timeout(
    workers: list[WebWorker], clients: list[FlaskClient], server: RedisServer
) -> None:
    headers = workers[0].bearer()
    for route in ROUTES:
        clients[0].get(route, headers=headers)
    server.freeze()
    waits, answers = [], []
    for client in clients:
        for route in ROUTES * 2:
            began = time.monotonic()
            answers.append(client.get(route, headers=headers))
            waits.append(time.monotonic() - began)
    server.thaw()

    assert {answer.status_code for answer in answers} == {200}
    assert all("X-RateLimit-Remaining" in answer.headers for answer in answers)
    # The usual request waits for Redis once at most; a busy machine may hold a single one longer.
    assert statistics.median(waits) < TIMEOUT_S * 1.9


def test_without_redis_each_worker_keeps_the_limits(
    workers: list[WebWorker], clients: list[FlaskClient], server: RedisServer
) -> None:
    headers = workers[0].bearer()
    server.stop()

    for route in ROUTES:
        assert [clients[0].get(route, headers=headers).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [clients[0].post("/auth/token", data=WRONG).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_values_of_another_type_are_nobodys_trouble(workers: list[WebWorker], clients: list[FlaskClient]) -> None:
    headers = workers[0].bearer()
    for route in ROUTES:
        clients[0].get(route, headers=headers)
    clients[0].post("/auth/token", data=WRONG)
    redis_client = workers[0].services.redis
    keys = list(redis_client.scan_iter("galley:limit:*"))
    for key in keys:
        redis_client.delete(key)
        redis_client.zadd(key, {"x": 1.0})

    assert len(keys) == len(ROUTES) + 2
    assert {clients[0].get(route, headers=headers).status_code for route in ROUTES} == {200}
    assert clients[0].post("/auth/token", data=WRONG).status_code == 401
