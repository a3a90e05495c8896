"""One account over sockets and HTTP in turns: late events, events in any order, and the same event both ways."""

import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.errors import EventTooLate
from app.scenarios.fraud_events import FraudEvent
from model_store.model_ref import ModelRef
from tests.factories.account_states import account_states
from tests.factories.payments import Habits, payments
from tests.factories.scored_alone import ScoredAlone, parted
from tests.factories.stack import Stack
from tests.factories.stream_load import as_sent
from tests.factories.stream_socket import StreamSocket

pytestmark = pytest.mark.long

EVENTS = 60
# Of events a quarter of an hour apart, which are swapped over a few places, some are more than the hour late.
HABITS = Habits(mean_gap_s=900.0)
FURTHEST = 8
AGAIN = 20
SAME = 1e-5


class Way:
    """Sends payments over a socket, or over HTTP without one."""

    def __init__(self, client: httpx.Client, socket: StreamSocket | None = None) -> None:
        self._client, self._socket = client, socket

    def ask(self, event: FraudEvent) -> float | str:
        """Return the score, or the code of the error."""
        if self._socket is not None:
            answer = self._socket.ask(as_sent(event))
        else:
            answer = self._client.post("/api/v1/fraud/scores", json={"event": as_sent(event)}).json()
        assert answer.get("event_id", event.event_id) == event.event_id
        told: float | str = answer["score"] if "score" in answer else answer["code"]
        return told


def mixed_up(events: list[FraudEvent], rng: random.Random) -> list[FraudEvent]:
    """Return events so that each is at most some places from its own."""
    places = [place + rng.uniform(0, FURTHEST) for place in range(len(events))]
    return [event for _, event in sorted(zip(places, events, strict=True), key=lambda pair: pair[0])]


def expected_of(events: list[FraudEvent], alone: ScoredAlone) -> dict[str, float | str]:
    """Return what each event is answered when one thread takes them in this order."""
    expected: dict[str, float | str] = {}
    for event in events:
        try:
            alone.score([event])
            expected[event.event_id] = alone.scores[event.event_id]
        except EventTooLate as err:
            expected[event.event_id] = err.code
    return expected


@pytest.mark.parametrize("seed", range(4))
def test_an_account_moves_once_for_each_event_whichever_way_it_comes(
    stack: Stack, client: httpx.Client, seed: int
) -> None:
    rng, account, token = random.Random(seed), f"mix-{seed}", stack.token()
    events = mixed_up(payments(EVENTS, HABITS, seed=seed, account=account), rng)
    alone = ScoredAlone(stack.var_dir / "store", ModelRef("fraud", 1))
    expected = expected_of(events, alone)

    with StreamSocket(stack.port) as one, StreamSocket(stack.port) as other:
        assert one.greet(token)["type"] == other.greet(token)["type"] == "ready"
        ways = [Way(client), Way(client, one), Way(client, other)]
        answers = {event.event_id: rng.choice(ways).ask(event) for event in events}
        again = [event for event in rng.choices(events, k=AGAIN) if answers[event.event_id] != EventTooLate.code]
        repeated = [(event.event_id, way.ask(event)) for event in again for way in ways]

    assert 0 < list(expected.values()).count(EventTooLate.code) < EVENTS / 2
    assert answers == pytest.approx(expected, abs=SAME)
    assert repeated == [(event_id, answers[event_id]) for event_id, _ in repeated]
    assert_moved_like(stack, account, alone)


def test_the_same_event_by_all_ways_at_once_moves_its_account_once(stack: Stack, client: httpx.Client) -> None:
    token, events = stack.token(), payments(EVENTS, seed=7, account="at-once")
    alone = ScoredAlone(stack.var_dir / "store", ModelRef("fraud", 1))
    expected = expected_of(events, alone)

    with StreamSocket(stack.port) as one, StreamSocket(stack.port) as other, ThreadPoolExecutor(3) as pool:
        assert one.greet(token)["type"] == other.greet(token)["type"] == "ready"
        ways = [Way(client), Way(client, one), Way(client, other)]
        told = [set(pool.map(lambda way, event=event: way.ask(event), ways)) for event in events]

    assert [len(answers) for answers in told] == [1] * EVENTS
    assert [answers.pop() for answers in told] == pytest.approx(list(expected.values()), abs=SAME)
    assert_moved_like(stack, "at-once", alone)


def assert_moved_like(stack: Stack, account: str, alone: ScoredAlone) -> None:
    """Assert that Redis remembers of an account what one thread remembers."""
    found = account_states(stack)[account]
    memory, past = parted(alone.states[account])
    assert (found.moves, found.past) == (len(alone.scores), past)
    assert found.memory == pytest.approx(memory, abs=SAME)
