"""The cache Redis killed or frozen, the state Redis whole: nothing that callers send is lost, and readiness tells."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

import httpx
import pytest

from app.scenarios.fraud_events import FraudEvent
from model_store.model_ref import ModelRef
from tests.e2e.operations.test_runbook import assert_job_whole, nothing_lost, post_job
from tests.factories.full_stack import FullStack, running_full_stack
from tests.factories.load import Load, running_load
from tests.factories.redis_server import RedisServer, frozen, killed
from tests.factories.scored_alone import ScoredAlone
from tests.factories.stack import Stack
from tests.factories.stream_load import as_sent, session_payments
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

PATIENCE_S = 60.0
SAME = 1e-5
OLD = "The directory of runners is"
Blow = Callable[[RedisServer], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def full(stack: Stack) -> Iterator[FullStack]:
    """A whole installation that knows soon when a Redis is away."""
    with running_full_stack(stack, JOB_LEASE_S="5", REDIS_TIMEOUT_S="0.3") as full:
        yield full


@contextmanager
def recommended(full: FullStack) -> Iterator[Load]:
    """Have recommendations asked for during the block, each for another user."""
    token, users = full.stack.token(), count(1)

    def ask(client: httpx.Client) -> httpx.Response:
        return client.post("/api/v1/recommendations", json={"user_id": next(users) % 500 + 1, "k": 3})

    with running_load(lambda: full.client(token), ask, threads=1) as load:
        yield load


def score(client: httpx.Client, events: list[FraudEvent]) -> dict[str, float]:
    """Send payments one after the other; return the score of each."""
    answers = [
        client.post("/api/v1/fraud/scores", json={"event": as_sent(event)}).raise_for_status().json()
        for event in events
    ]
    return {event.event_id: answer["score"] for event, answer in zip(events, answers, strict=True)}


def readiness(full: FullStack) -> str:
    """Return what readiness tells; it is ready all the time."""
    return httpx.get(f"{full.stack.url}/health/ready").raise_for_status().text


@pytest.mark.parametrize("blow", [killed, frozen])
def test_nothing_is_lost(full: FullStack, blow: Blow) -> None:
    events = session_payments(f"by-http-{blow.__name__}", accounts=2, each=9)
    alone = ScoredAlone(full.stack.var_dir / "store", ModelRef("fraud", 1))
    alone.score(events)
    with (
        nothing_lost(full, f"cache-{blow.__name__}") as load,
        recommended(full) as recommendations,
        full.client() as client,
    ):
        before = post_job(full)
        scores = score(client, events[:6])
        with blow(full.redis):
            during = post_job(full)
            scores |= score(client, events[6:12])
            load.wait_more(20)
            wait_until(lambda: OLD in readiness(full), timeout_s=PATIENCE_S)
        scores |= score(client, events[12:])
        wait_until(lambda: OLD not in readiness(full), timeout_s=PATIENCE_S)
    assert scores == pytest.approx(alone.scores, abs=SAME)
    assert set(recommendations.statuses()) == {httpx.codes.OK}
    for path in (before, during):
        assert_job_whole(full, path)
