"""Versions and workers that change under streams: sessions keep their version, and no event is lost."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.scenarios.fraud_events import FraudEvent
from model_store.model_ref import ModelRef
from tests.factories.nginx import Nginx, running_nginx
from tests.factories.scored_alone import ScoredAlone
from tests.factories.stack import Stack, running_stack
from tests.factories.stream_load import StreamLoad, session_payments
from tests.factories.stream_socket import StreamSocket
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

SESSIONS = 10
ACCOUNTS = 2
PAYMENTS = 60
LONGEST_S = 240.0
PATIENCE_S = 60.0
SAME = 1e-5

Events = dict[str, list[FraudEvent]]


@pytest.fixture(scope="module")
def hasty(stack: Stack) -> Iterator[Stack]:
    """A stack that soon unloads what nobody calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNNER_IDLE_S", "2")
        with running_stack(like=stack) as other:
            yield other


@pytest.fixture(scope="module")
def token(hasty: Stack) -> str:
    return hasty.token()


def events_of(run: str, sessions: int = SESSIONS) -> Events:
    names = [f"{run}-{n}" for n in range(sessions)]
    return {name: session_payments(name, accounts=ACCOUNTS, each=PAYMENTS) for name in names}


@asynccontextmanager
async def sending(
    load: StreamLoad, url: str, token: str, events: Events, between: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Send events over a session each while the block lasts; leave it when all are answered."""
    address = url.replace("http", "ws", 1) + "/api/v1/fraud/stream"
    async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as group:
        for name, own in events.items():
            group.create_task(load.payments(name, address, token, own, between=between))
        yield


async def until_answered(load: StreamLoad, count: int) -> None:
    while load.answered < count:
        await asyncio.sleep(0.01)


def assert_all_answered(load: StreamLoad, events: Events, store: Path) -> None:
    """Assert that each session has its own answers, and they are those of one thread alone."""
    alone = ScoredAlone(store, ModelRef("fraud", 1))
    assert load.contradictions == []
    for name, own in events.items():
        alone.score(own)
        answers = load.answers[name]
        assert [answer for _, answer in answers if answer["type"] != "score"] == []
        assert all(work["event_id"] == answer["event_id"] for work, answer in answers)
        scores = {answer["event_id"]: answer["score"] for _, answer in answers}
        assert len(answers) == len(scores) == len(own)
        assert scores == pytest.approx({event.event_id: alone.scores[event.event_id] for event in own}, abs=SAME)


def publish_stricter(client: httpx.Client, folder: Path) -> int:
    """Publish the model of a version's folder once more, which now has every payment reviewed; return its number."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["version"]
    manifest["scoring"]["review_at"] = 0.0
    files: list[tuple[str, Any]] = [
        ("artifact", (folder / "model.pt").read_bytes()),
        ("samples", (folder / "samples.json").read_bytes()),
        *(("assets", (path.name, path.read_bytes())) for path in (folder / "assets").iterdir()),
    ]
    answer = client.post(
        "/api/v1/models/fraud/versions", files=files, data={"manifest": json.dumps(manifest), "pin": "true"}
    )
    assert answer.status_code == 202, answer.text
    wait_until(lambda: is_over(client.get(answer.headers["Location"])), timeout_s=PATIENCE_S)
    job = client.get(answer.headers["Location"]).json()
    return int(job["links"]["version"].rsplit("/", 1)[1])


def is_over(answer: httpx.Response) -> bool:
    """Say whether a job has succeeded; who asks too often is told so."""
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return False

    state = answer.json()["state"]
    assert state in ("queued", "running", "succeeded"), answer.text
    return bool(state == "succeeded")


def move_default(stack: Stack, version: int) -> None:
    with stack.client() as client:
        moved = client.put("/api/v1/models/fraud/aliases/default", json={"version": version})
        assert moved.is_success, moved.text


def told_by(load: StreamLoad, names: Events) -> set[tuple[int, bool]]:
    """Return which versions answered these sessions, and whether they approved of anything."""
    answers = [answer for name in names for _, answer in load.answers[name]]
    return {(answer["model"]["version"], answer["decision"] == "approve") for answer in answers}


async def roll_out(stack: Stack, token: str, groups: list[Events], version: int) -> StreamLoad:
    """Move `default` under two groups of sessions, of which one falls silent until its version is gone."""
    load, go_on = StreamLoad(), asyncio.Event()
    busy, silent, new = groups
    async with sending(load, stack.url, token, silent, go_on):
        async with sending(load, stack.url, token, busy):
            await until_answered(load, 2 * SESSIONS * ACCOUNTS)
            await asyncio.to_thread(move_default, stack, version)
            async with sending(load, stack.url, token, new):
                pass
        await asyncio.to_thread(wait_until, lambda: not stack.find("galley-runner fraud/1"), timeout_s=PATIENCE_S)
        go_on.set()
    return load


def test_sessions_finish_on_the_version_that_they_began_with(hasty: Stack, token: str) -> None:
    with hasty.client() as client:
        version = publish_stricter(client, hasty.var_dir / "store" / "fraud" / "1")
    groups = [events_of(name) for name in ("busy", "silent", "new")]
    load = asyncio.run(roll_out(hasty, token, groups, version))
    move_default(hasty, 1)

    assert_all_answered(load, groups[0] | groups[1] | groups[2], hasty.var_dir / "store")
    assert {told for told, _ in told_by(load, groups[0] | groups[1])} == {1}
    assert told_by(load, groups[2]) == {(version, False)}


@pytest.mark.parametrize("sort", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("is_behind_nginx", [False, True])
def test_workers_that_end_send_their_clients_on(
    hasty: Stack, token: str, sort: signal.Signals, is_behind_nginx: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = events_of(f"{sort.name}-{is_behind_nginx}")
    with running_nginx(hasty.port) if is_behind_nginx else nullcontext() as nginx:
        if nginx:
            monkeypatch.setenv("SSL_CERT_FILE", str(nginx.ca))
        load = asyncio.run(send_on(hasty, nginx, token, events, sort))

    assert_all_answered(load, events, hasty.var_dir / "store")


async def send_on(stack: Stack, nginx: Nginx | None, token: str, events: Events, sort: signal.Signals) -> StreamLoad:
    """End the web workers twice under a load; also sockets that are silent are told to come again."""
    url = nginx.url if nginx else stack.url
    load, third = StreamLoad(), SESSIONS * ACCOUNTS * PAYMENTS // 3
    async with sending(load, url, token, events):
        for turn in (1, 2):
            await until_answered(load, turn * third)
            await asyncio.to_thread(end_workers, stack, nginx, token, sort)
    return load


def end_workers(stack: Stack, nginx: Nginx | None, token: str, sort: signal.Signals) -> None:
    """Have every web worker replaced, and wait until it is."""
    master = min(stack.find("galley-web"), key=lambda process: process.create_time())
    silent = StreamSocket(nginx.port, tls=nginx.tls) if nginx else StreamSocket(stack.port)
    with silent as socket:
        assert socket.greet(token)["type"] == "ready"
        before = master.children()
        for process in [master] if sort is signal.SIGHUP else before:
            process.send_signal(sort)
        assert socket.hear_all() == ([], 1001)
    for process in set(before) & set(master.children()) if sort is signal.SIGTERM else ():
        # One that was just forked has its master's ears still, and may not have heard.
        process.send_signal(sort)
    wait_until(lambda: not set(before) & set(master.children()) and len(master.children()) >= 2, timeout_s=PATIENCE_S)
