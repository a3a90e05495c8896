"""Redis hung, killed and started again while requests come: none fails, limits go on, and all of it comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient

from app.infra.redis_rest import REST_S
from tests.factories.ranked_rows import RECOMMENDATIONS, publish_ranking_model, ranked
from tests.factories.redis_server import RedisServer
from tests.factories.waiting import wait_until
from tests.factories.web import WebWorker, make_worker
from tests.fakes.inference import label_by_size

pytestmark = pytest.mark.long

TIMEOUT_S = 0.2
# A second is the promise, and what the settings of the subscription come to; the tests share the cores with others.
REFUSED_WITHIN_S = 5.0
LIMIT = 20_000
PICTURE = b"picture"
# Of whom each is asked for once, where a kept answer would hide what Redis does.
STRANGERS = count(1)

Call = Callable[[FlaskClient, dict[str, str]], Any]


@pytest.fixture
def workers(tmp_path: Path, server: RedisServer) -> Iterator[list[WebWorker]]:
    """Two workers of the same models, that hear each other's revocations and would remember tokens for long."""
    settings: dict[str, Any] = {"redis_url": server.url, "redis_timeout_s": TIMEOUT_S, "token_memory_s": 60.0}
    with ExitStack() as stack:
        made = [make_worker(tmp_path, limit_inference=f"{LIMIT}/hour", **settings) for _ in range(2)]
        for worker in made:
            stack.callback(worker.services.close)
            stack.callback(worker.services.tokens.stop)
            worker.services.tokens.start()
            wait_until(partial(hears, worker))
        made[0].publish()
        publish_ranking_model(made[0])
        for worker in made:
            worker.inference.answer = answer
        made[1].services.routing.refresh()
        made[1].run(*made[0].directory.snapshot.runners)
        yield made


def hears(worker: WebWorker) -> bool:
    """Say whether other workers' revocations arrive."""
    return worker.services.tokens.revocations.covers(time.monotonic())


def answer(row: bytes, top_k: int) -> bytes:
    """Answer pictures and rankings."""
    return label_by_size(row, top_k) if row == PICTURE else ranked(row)


def classify(client: FlaskClient, headers: dict[str, str]) -> Any:
    """Ask for what Flask answers."""
    return client.post("/api/v1/images/classifications", data=PICTURE, content_type="image/png", headers=headers)


def recommend(client: FlaskClient, headers: dict[str, str], user_id: int | None = None) -> Any:
    """Ask for what is answered in front of Flask, for a user that no worker remembers unless one is named."""
    body = b'{"user_id":%d}' % (user_id or next(STRANGERS))
    return client.post(RECOMMENDATIONS, data=body, content_type="application/json", headers=headers)


def harm(server: RedisServer, harms: list[str], done: threading.Event) -> None:
    """Do all that to Redis, each for a moment, while requests go on."""
    for name in harms:
        getattr(server, name)()
        done.wait(2 * TIMEOUT_S)
    done.set()


def call_meanwhile(server: RedisServer, harms: list[str], ask: Callable[[], Any]) -> list[Any]:
    """Return the answers of requests that were made while Redis was harmed."""
    done = threading.Event()
    thread = threading.Thread(target=harm, args=(server, harms, done))
    thread.start()
    answers = []
    while not done.is_set():
        answers.append(ask())
        # What is to be kept is written beside the requests.
        gevent.sleep(0)
    thread.join()
    return answers


@pytest.mark.parametrize("call", [classify, recommend])
@pytest.mark.parametrize("harms", [["freeze", "thaw"], ["stop", "start"], ["freeze", "thaw", "stop", "start"] * 2])
def test_no_request_fails_while_redis_comes_and_goes(
    workers: list[WebWorker], server: RedisServer, harms: list[str], call: Call
) -> None:
    headers, client = workers[0].bearer(), workers[0].app.test_client()
    call(client, headers)
    answers = call_meanwhile(server, harms, partial(call, client, headers))

    assert len(answers) > 2
    assert {answer.status_code for answer in answers} == {200}
    assert all(0 < int(answer.headers["X-RateLimit-Remaining"]) < LIMIT for answer in answers)


@pytest.mark.parametrize("call", [classify, recommend])
def test_limits_are_shared_again_when_redis_is_back(workers: list[WebWorker], server: RedisServer, call: Call) -> None:
    headers, clients = workers[0].bearer(), [worker.app.test_client() for worker in workers]
    call_meanwhile(server, ["stop", "start"], partial(call, clients[0], headers))

    def counted() -> int:
        call(clients[0], headers)
        shared = workers[0].services.redis
        return sum(int(shared.get(key) or 0) for key in shared.scan_iter("galley:limit:inference:*"))

    wait_until(lambda: counted() > 50, timeout_s=6 * REST_S)
    assert int(call(clients[1], headers).headers["X-RateLimit-Remaining"]) < LIMIT - 50


def test_kept_answers_are_shared_again_when_redis_is_back(workers: list[WebWorker], server: RedisServer) -> None:
    headers, (here, there) = workers[0].bearer(), [worker.app.test_client() for worker in workers]
    answers = call_meanwhile(server, ["stop", "start"], partial(recommend, here, headers))
    assert {answer.headers["X-Cache"] for answer in answers} == {"miss"}
    asked = [next(STRANGERS)]

    def is_shared() -> bool:
        """Ask one worker for whom the other was asked a moment ago, and that one for the next."""
        shared = recommend(there, headers, asked[-1])
        asked.append(next(STRANGERS))
        recommend(here, headers, asked[-1])
        return bool(shared.headers["X-Cache"] == "hit")

    wait_until(is_shared, timeout_s=6 * REST_S, sleep=gevent.sleep)


@pytest.mark.parametrize("harms", [[], ["freeze"], ["stop"]])
def test_a_revoked_token_is_refused_on_hot_routes_soon(
    workers: list[WebWorker], server: RedisServer, harms: list[str]
) -> None:
    here, there = workers
    token, client = here.token(), there.app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(50):
        assert classify(client, headers).status_code == 200
    for name in harms:
        getattr(server, name)()
    here.services.tokens.revoke(token)

    wait_until(lambda: classify(client, headers).status_code == 401, timeout_s=REFUSED_WITHIN_S)
    if "freeze" in harms:
        server.thaw()
