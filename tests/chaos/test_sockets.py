"""What happens to sockets is told: they break, are refused, or answer a number otherwise than before."""

import asyncio
import random
from typing import Any
from unittest.mock import create_autospec

import pytest

from tests.chaos import sockets
from tests.chaos.conftest import MakeCaller, answered, rules
from tests.chaos.scored import Reference
from tests.chaos.sockets import _talk, symptom_of_trouble
from tests.factories.payments import payment
from tests.factories.scripted_streams import Conversation, Talk, scripted_server

PAYMENT = {"event_id": "e"}


async def _good(talk: Talk) -> None:
    await talk.greet()
    await talk.answer()


async def _cut(talk: Talk) -> None:
    await talk.greet()
    await talk.hear()
    talk.drop()


async def _defect(talk: Talk) -> None:
    await talk.greet()
    await talk.close(1011, "bug")


async def _moved(talk: Talk) -> None:
    await talk.greet()
    await talk.close(1001)


async def _otherwise(talk: Talk) -> None:
    await talk.greet()
    seq = (await talk.hear())["seq"]
    await talk.say("score", seq=seq, credits=4, score=0.1)
    await talk.say("score", seq=seq, credits=4, score=0.2)
    await talk.answer()


@pytest.mark.parametrize(
    ("first", "symptoms", "broken"),
    [
        (_cut, ["connection"], []),
        (_defect, ["closed 1011"], ["in form"]),
        (_moved, [], []),
    ],
)
def test_sockets_that_break(make_caller: MakeCaller, first: Any, symptoms: list[str], broken: list[str]) -> None:
    caller = make_caller(answered)

    async def talk() -> None:
        async with scripted_server(first, _good) as url:
            await _talk(caller, url, "socket", [PAYMENT], 0)

    asyncio.run(talk())

    assert [failure.symptom for failure in caller.journal.failures] == symptoms
    assert rules(caller) == broken


def test_a_number_that_is_answered_twice_and_not_the_same(make_caller: MakeCaller) -> None:
    caller = make_caller(answered)

    async def talk() -> None:
        async with scripted_server(_otherwise) as url:
            await _talk(caller, url, "socket", [PAYMENT, PAYMENT], 0)

    asyncio.run(talk())

    assert rules(caller) == ["once"]


def scoring(*event_ids: str) -> Conversation:
    """Answer one payment after the other, as if they were these."""

    async def conversation(talk: Talk) -> None:
        await talk.greet()
        for event_id in event_ids:
            await talk.say("score", seq=(await talk.hear())["seq"], credits=4, event_id=event_id, score=0.5)

    return conversation


@pytest.mark.parametrize(
    ("told", "broken"),
    [(("e1", "e2"), []), (("e1", "others"), ["once"]), (("e2", "e1"), ["once"])],
)
def test_payments_that_are_answered_as_if_they_were_others(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch, told: tuple[str, ...], broken: list[str]
) -> None:
    caller, reference = make_caller(answered), create_autospec(Reference, instance=True)
    events = [payment(event_id="e1"), payment(event_id="e2")]
    monkeypatch.setattr(sockets, "session_payments", lambda *_, **__: events)

    async def score(talk: Talk) -> None:
        # So that there is no second session.
        caller.over.set()
        await scoring(*told)(talk)

    async def stream() -> None:
        async with scripted_server(score) as url:
            base = url.removesuffix("/api/v1/fraud/stream")
            await sockets.stream_payments(caller, base, reference, pace_s=0, rng=random.Random(0))

    asyncio.run(stream())

    assert rules(caller) == broken
    assert caller.journal.checks["once"] == len(events)
    reference.compare.assert_awaited_once_with("me", events, dict.fromkeys(told, 0.5))


@pytest.mark.parametrize(
    ("trouble", "symptom"),
    [
        ("server rejected WebSocket connection: HTTP 503", "handshake 503"),
        ("timed out during opening handshake", "handshake timeout"),
        ("received 1008 (policy violation) no; then sent 1008 (policy violation) no", "closed 1008"),
        ("no close frame received or sent", "connection"),
        ("[Errno 111] Connect call failed", "connection"),
    ],
)
def test_troubles_are_named(trouble: str, symptom: str) -> None:
    assert symptom_of_trouble(trouble) == symptom
