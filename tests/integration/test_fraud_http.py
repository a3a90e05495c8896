"""Scores over HTTP through the web app, the inference client, a real runner and a real Redis."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask.testing import FlaskClient

from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.runners import make_spec
from tests.factories.scored_events import FRAUD, event_body
from tests.factories.scoring import RISK, RISK_FILE, CountingModel, scoring_manifest
from tests.factories.web import WebWorker
from tests.factories.web_runner import web_before

MODEL = {"name": "fraud", "version": 1, "variant": None}


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis of the module's own, which tests stop."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def web(redis: RedisServer) -> Iterator[WebWorker]:
    """A web worker in front of a runner of `fraud`."""
    with tempfile.TemporaryDirectory(prefix="galley-") as name:
        folder = Path(name)
        risk = folder / "risk.json"
        risk.write_bytes(RISK_FILE)
        parts: dict[str, Any] = {"name": "fraud", "manifest": scoring_manifest(files={}), "samples": None}
        spec = make_spec(folder, folder, CountingModel(), assets={risk.name: risk}, state_redis_url=redis.url, **parts)
        with web_before(spec, folder) as worker:
            yield worker


def post(caller: FlaskClient, **changes: Any) -> Any:
    return caller.post(FRAUD, data=event_body(**changes), content_type="application/json")


def seen_before(answer: Any) -> int:
    """Return how many events of its account the model had seen before it answered, by the reason it gives."""
    assert answer.status_code == 200, answer.text
    effects = {reason["feature"]: reason["effect"] for reason in answer.json["reasons"]}
    return int(effects.get("often", 0))


def test_events_meet_what_their_account_did_before(caller: FlaskClient) -> None:
    answers = [post(caller, account_id=f"own-{n % 3}", event_id=f"e{n}", merchant_id="bad") for n in range(9)]

    assert [seen_before(answer) for answer in answers] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [answer.json["event_id"] for answer in answers] == [f"e{n}" for n in range(9)]
    assert {answer.json["score"] for answer in answers} == {RISK.merchants["bad"]}
    assert {answer.json["decision"] for answer in answers} == {"decline"}
    assert all(answer.json["model"] == MODEL for answer in answers)


def test_an_event_sent_again_gets_its_first_answer_and_moves_nothing(caller: FlaskClient) -> None:
    first = post(caller, account_id="again", event_id="e1")
    post(caller, account_id="again", event_id="e2")
    second = post(caller, account_id="again", event_id="e1", amount=9.0, merchant_id="bad")

    assert second.data == first.data
    assert seen_before(post(caller, account_id="again", event_id="e3")) == 2


def test_ids_belong_to_their_accounts_whatever_they_are_called(caller: FlaskClient) -> None:
    names = [("x", "y:z"), ("x:y", "z"), ("1:x", "y:z"), ("x\x00", "y"), ("x", "\x00y"), ("x\n", "y"), (" x", "y")]

    answers = [post(caller, account_id=account, event_id=event) for account, event in names]

    assert [seen_before(answer) for answer in answers] == [0, 0, 0, 0, 1, 0, 0]


def test_events_that_come_at_once_move_their_account_once_each(caller: FlaskClient) -> None:
    calls = [gevent.spawn(post, caller, account_id="busy", event_id=f"e{n % 10}") for n in range(30)]
    gevent.joinall(calls, timeout=20, raise_error=True)

    answers = [call.value for call in calls]
    assert sorted(map(seen_before, answers[:10])) == list(range(10))
    assert [answer.data for answer in answers[10:]] == [answer.data for answer in answers[:10]] * 2
    assert seen_before(post(caller, account_id="busy", event_id="last")) == 10


def test_an_event_too_late_moves_nothing_and_may_be_mended(caller: FlaskClient) -> None:
    post(caller, account_id="late", event_id="e1", occurred_at="2026-01-05T12:00:00Z")

    refused = post(caller, account_id="late", event_id="e2", occurred_at="2026-01-05T10:59:59Z")
    mended = post(caller, account_id="late", event_id="e2", occurred_at="2026-01-05T11:00:00Z")

    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (422, "event_too_late", False)
    assert refused.json["detail"].startswith("The event occurred 3601.000 s before the newest event")
    assert seen_before(mended) == 1


def test_without_redis_nothing_is_scored_and_nothing_lost(caller: FlaskClient, redis: RedisServer) -> None:
    redis.stop()
    try:
        refused = post(caller, account_id="away", event_id="e1")
    finally:
        redis.start()

    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (503, "redis_unavailable", True)
    assert int(refused.headers["Retry-After"]) >= 1
    assert [seen_before(post(caller, account_id="away", event_id=event)) for event in ("e1", "e2")] == [0, 1]


def test_amounts_of_all_sizes_are_scored(caller: FlaskClient) -> None:
    for number, amount in enumerate([0, -0.0, 5e-324, 0.1, 1e9]):
        assert seen_before(post(caller, account_id="sizes", event_id=f"e{number}", amount=amount)) == number


@pytest.mark.long
@pytest.mark.needs_data
@pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data")
def test_naughty_ids_are_taken_or_refused_and_never_mixed_up(caller: FlaskClient) -> None:
    folder = Path(os.environ["GALLEY_DATA"]) / "text-naughty-strings"
    strings = dict.fromkeys(json.loads((folder / "blns.json").read_text("utf-8")))
    assert len(strings) > 400

    for naughty in strings:
        answer = post(caller, account_id=naughty, event_id=naughty, merchant_id=naughty)
        if 1 <= len(naughty) <= 128:
            assert (seen_before(answer), answer.json["event_id"]) == (0, naughty)
        else:
            assert (answer.status_code, len(answer.json["errors"])) == (422, 3)
