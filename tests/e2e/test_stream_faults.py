"""Parts killed under a load of streams: every session finishes, and every event is in its state exactly once."""

import asyncio
import os
import random
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from app.scenarios.fraud_events import FraudEvent
from model_store.model_ref import ModelRef
from tests.factories.account_states import account_states
from tests.factories.redis_server import find_redis_binary
from tests.factories.scored_alone import ScoredAlone, parted
from tests.factories.stack import Stack, is_ready, running_stack
from tests.factories.stream_load import StreamLoad, pieces_of, session_payments
from tests.factories.waiting import wait_until
from tests.scratch import MEMORY, has_room

pytestmark = pytest.mark.long

PAYERS = 50
ACCOUNTS = 4
PAYMENTS = 20
WRITERS = 10
PIECES = 60
ALL = PAYERS * ACCOUNTS * PAYMENTS + WRITERS * PIECES
KILLS = 5
LONGEST_S = 400.0
BACK_WITHIN_S = 60.0
SAME = 1e-5
ALPHABET = "abcdefgh ijkl mnop äß漢\N{SAILBOAT}"

Find = Callable[[Stack], list[psutil.Process]]
RUNNERS: Find = lambda stack: [*stack.find("galley-runner fraud/"), *stack.find("galley-runner text/")]  # noqa: E731
WEB: Find = lambda stack: stack.find("gunicorn: worker")  # noqa: E731
CONTROLLER: Find = lambda stack: stack.part("galley-controller")  # noqa: E731
REDIS: Find = lambda stack: stack.part("redis-server")  # noqa: E731


@pytest.fixture(scope="module")
def mortal(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose Redis answers only what it has kept: `appendfsync always`, on a quick disk.

    As a stack comes, Redis does not wait while the disk is busy with what it was given before. Killed just then it
    loses what it acknowledged meanwhile, as docs/streaming.md says; and on a busy machine that is not seldom.
    """
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "redis-server"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(find_redis_binary())} "$@" --appendfsync always\n')
    script.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    with running_stack(like=stack, parent=MEMORY if has_room(MEMORY) else None, variables={"PATH": path}) as other:
        yield other


@pytest.fixture(scope="module")
def token(mortal: Stack) -> str:
    return mortal.token()


def texts(run: str) -> dict[str, str]:
    """Return the texts to be written, by the names of their sessions."""
    rng = random.Random(run)
    return {f"{run}-text-{n}": "".join(rng.choices(ALPHABET, k=200)) for n in range(WRITERS)}


async def kill_now_and_then(stack: Stack, load: StreamLoad, finds: list[Find], *, seed: str) -> list[int]:
    """Kill processes at moments spread over the load, one of each sort at once; return their ids."""
    rng, killed = random.Random(seed), list[int]()
    for moment in sorted(rng.sample(range(ALL // 20, ALL * 9 // 10), KILLS)):
        while load.answered < moment:
            await asyncio.sleep(0.01)
        killed += await asyncio.to_thread(kill_some, stack, rng.sample(finds, min(2, len(finds))), rng)
    return killed


def kill_some(stack: Stack, finds: list[Find], rng: random.Random) -> list[int]:
    """Kill one process of each sort, once all are back that were killed before."""
    wait_until(lambda: is_ready(stack) and all(find(stack) for find in finds), timeout_s=BACK_WITHIN_S)
    victims = [rng.choice(sorted(find(stack), key=lambda process: process.pid)) for find in finds]
    for victim in victims:
        victim.kill()
    return [victim.pid for victim in victims]


async def under_fire(
    stack: Stack, token: str, events: dict[str, list[FraudEvent]], finds: list[Find], run: str
) -> tuple[StreamLoad, list[int]]:
    """Run the whole load, and kill meanwhile."""
    load, url = StreamLoad(), stack.url.replace("http", "ws", 1)
    async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as group:
        for name, own in events.items():
            group.create_task(load.payments(name, f"{url}/api/v1/fraud/stream", token, own))
        for name, text in texts(run).items():
            pieces = pieces_of(text, PIECES, seed=name)
            group.create_task(load.text(name, f"{url}/api/v1/text/stream", token, pieces))
        killing = group.create_task(kill_now_and_then(stack, load, finds, seed=run))
    return load, killing.result()


@pytest.mark.parametrize(
    ("run", "finds"),
    [
        ("runners", [RUNNERS]),
        ("web", [WEB]),
        ("controller", [CONTROLLER]),
        ("redis", [REDIS]),
        ("mixed", [REDIS, RUNNERS, WEB, CONTROLLER]),
    ],
)
def test_every_event_counts_once_whatever_is_killed(mortal: Stack, token: str, run: str, finds: list[Find]) -> None:
    events = {f"{run}-{n}": session_payments(f"{run}-{n}", accounts=ACCOUNTS, each=PAYMENTS) for n in range(PAYERS)}
    alone = ScoredAlone(mortal.var_dir / "store", ModelRef("fraud", 1))
    for own in events.values():
        alone.score(own)

    load, killed = asyncio.run(under_fire(mortal, token, events, finds, run))

    assert len(set(killed)) == KILLS * min(2, len(finds))
    assert load.contradictions == []
    for name, own in events.items():
        assert_scored_like(load.answers[name], own, alone)
    assert_states_like(mortal, alone)
    with mortal.client() as client:
        for name, text in texts(run).items():
            assert_classified_like(load.answers[name], text, client)


def assert_scored_like(answers: list[Any], events: list[FraudEvent], alone: ScoredAlone) -> None:
    """Assert that each payment of a session has its own answer, and the one that it gets alone."""
    assert [answer for _, answer in answers if answer["type"] != "score"] == []
    assert sorted(answer["seq"] for _, answer in answers) == list(range(1, len(events) + 1))
    assert all(work["event_id"] == answer["event_id"] for work, answer in answers)
    scores = {answer["event_id"]: answer["score"] for _, answer in answers}
    assert scores == pytest.approx({event.event_id: alone.scores[event.event_id] for event in events}, abs=SAME)


def assert_states_like(stack: Stack, alone: ScoredAlone) -> None:
    """Assert that Redis remembers of each account what one thread remembers: every payment, and none twice."""
    found = account_states(stack)
    for account, state in alone.states.items():
        memory, past = parted(state)
        assert (found[account].moves, found[account].past) == (PAYMENTS, past)
        assert found[account].memory == pytest.approx(memory, abs=SAME)


def assert_classified_like(answers: list[Any], text: str, client: httpx.Client) -> None:
    """Assert that each piece has one answer, and the last one is that of the whole text."""
    assert [answer["seq"] for _, answer in answers] == list(range(1, PIECES + 1))
    last = answers[-1][1]
    whole = classified_at_once(client, text)
    assert (last["label"], last["final"]) == (whole["label"], True)
    assert last["score"] == pytest.approx(whole["score"], abs=SAME)


def classified_at_once(client: httpx.Client, text: str) -> dict[str, Any]:
    """Return the answer to a whole text; the runner that gives it may have been killed last of all."""
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(client.post("/api/v1/text/classifications", json={"text": text}))
        return answers[-1].is_success

    wait_until(is_answered, timeout_s=BACK_WITHIN_S)
    result: dict[str, Any] = answers[-1].json()["results"][0]
    return result
