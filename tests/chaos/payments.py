"""Callers that send payments over HTTP, one after the other, and some of them twice."""

import asyncio
import random

from tests.chaos.caller import Caller
from tests.chaos.likeness import differences
from tests.chaos.scored import Reference
from tests.factories.stream_load import as_sent, session_payments

PATH = "/api/v1/fraud/scores"
ACCOUNTS, EACH = 3, 20
TWICE = 0.2


async def pay(caller: Caller, reference: Reference, *, pace_s: float, rng: random.Random) -> None:
    """Send payments of accounts of its own until the end; whatever was asked again counts once."""
    turn = 0
    while not caller.over.is_set():
        turn += 1
        events = session_payments(f"{caller.name}-{turn}", accounts=ACCOUNTS, each=EACH)
        scores = {}
        for event in events:
            with caller.journal.work("payment", event.event_id):
                scores[event.event_id] = await _score(caller, {"event": as_sent(event)}, rng)
            await asyncio.sleep(rng.uniform(0, 2 * pace_s))
        await reference.compare(caller.name, events, scores)


async def _score(caller: Caller, body: dict[str, object], rng: random.Random) -> float:
    first = (await caller.ask("payment", "POST", PATH, json=body)).json()
    if rng.random() < TWICE:
        second = (await caller.ask("payment", "POST", PATH, json=body)).json()
        caller.journal.checked("once")
        for what in differences(second, first):
            caller.journal.broken("once", f"{caller.name} asked again: {what}")
    return float(first["score"])
