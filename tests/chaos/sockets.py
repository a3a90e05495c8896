"""Callers that send payments and texts over streams, by the client of docs/examples."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from tests.chaos.answers import CONNECTION
from tests.chaos.caller import Caller
from tests.chaos.journal import Failure
from tests.chaos.likeness import differences
from tests.chaos.questions import RIGHTLY
from tests.chaos.scored import Reference
from tests.factories.stream_load import Frame, Witness, as_sent, pieces_of, session_payments

ACCOUNTS, EACH = 4, 50
PIECES = 40
LETTERS = 200
ALPHABET = "abcdefgh ijkl mnop äß漢\N{SAILBOAT}"
# Follow from the error before them, which is told by itself.
FOLLOW = frozenset({"sequence_skipped", "sequence_gap"})
DEFECT = "received 1011"
# A socket that is moved elsewhere, and one whose end was told by an error before it: neither failed by itself.
IN_ORDER = ("received 1000", "received 1001", "received 1013")
REFUSED = re.compile(r"rejected WebSocket connection: HTTP (\d+)")


class Listener(Witness):
    """The client, and a record of what it was refused."""

    def __init__(self, url: str, caller: Caller, kind: str) -> None:
        super().__init__(url, caller.token)
        self._journal, self._kind = caller.journal, kind
        self._quiet_since_s = self._journal.now_s()

    async def _hear(self, frame: Frame) -> None:
        self._quiet_since_s = self._journal.now_s()
        if frame["type"] == "error" and frame["code"] not in FOLLOW:
            self._failed(frame["code"] if frame["retryable"] else f"final {frame['code']}", frame["detail"])
        elif frame["type"] in ("score", "prediction"):
            self._journal.good(self._kind)
        await super()._hear(frame)

    async def _pause(self) -> None:
        # Between two frames there is a socket; where there is none, nothing may be sent.
        is_broken = self._most == 0
        if is_broken and self._trouble:
            self._note_broken(self._trouble)
        await super()._pause()
        self._quiet_since_s = self._journal.now_s()
        if is_broken:
            self._trouble = ""

    def _note_broken(self, trouble: str) -> None:
        if DEFECT in trouble:
            self._journal.broken("in form", f"a socket was closed with {trouble}")
        if not trouble.startswith(IN_ORDER):
            self._failed(symptom_of_trouble(trouble), trouble)

    def _failed(self, symptom: str, what: str) -> None:
        began_s, ended_s = self._quiet_since_s, self._journal.now_s()
        self._journal.failed(Failure(kind=self._kind, symptom=symptom, began_s=began_s, ended_s=ended_s, what=what))


def symptom_of_trouble(trouble: str) -> str:
    """Name why there is no socket, of what the client was told: by the status of a refusal, else as what broke."""
    if refused := REFUSED.search(trouble):
        return f"handshake {refused[1]}"
    if trouble.startswith("received "):
        return f"closed {trouble.split()[1]}"

    return "handshake timeout" if "timed out" in trouble else CONNECTION


async def stream_payments(caller: Caller, url: str, reference: Reference, *, pace_s: float, rng: random.Random) -> None:
    """Send one session's payments after the other's, as many at once as it may."""
    turn = 0
    while not caller.over.is_set():
        turn += 1
        events = session_payments(f"{caller.name}-{turn}", accounts=ACCOUNTS, each=EACH)
        with caller.journal.work("socket of payments", f"{caller.name} {turn}"):
            works = [as_sent(event) for event in events]
            answers = await _talk(caller, f"{url}/api/v1/fraud/stream", "socket of payments", works, pace_s)
            if len(answers) != len(events) or any(work["event_id"] != told["event_id"] for work, told in answers):
                caller.journal.broken("once", f"{caller.name}, session {turn}: {len(answers)} answers, or others'")
            await reference.compare(caller.name, events, {told["event_id"]: told["score"] for _, told in answers})
        await asyncio.sleep(rng.uniform(0, pace_s))


async def stream_texts(caller: Caller, url: str, *, pace_s: float, rng: random.Random) -> None:
    """Send one text after the other in pieces; the last answer is that of the whole text."""
    turn = 0
    while not caller.over.is_set():
        turn += 1
        text = "".join(rng.choices(ALPHABET, k=LETTERS))
        with caller.journal.work("socket of texts", f"{caller.name} {turn}"):
            pieces = pieces_of(text, PIECES, seed=text)
            answers = await _talk(caller, f"{url}/api/v1/text/stream", "socket of texts", pieces, pace_s)
            if [told["seq"] for _, told in answers] != [*range(1, PIECES + 1)]:
                caller.journal.broken("once", f"{caller.name}, text {turn}: {[told['seq'] for _, told in answers]}")
        with caller.journal.work("text", f"{caller.name} {turn}"):
            whole = await caller.ask("text", "POST", "/api/v1/text/classifications", json={"text": text})
        told, expected = answers[-1][1], whole.json()["results"][0]
        shared = ("label", "score")
        caller.journal.checked(RIGHTLY)
        for what in differences({name: told[name] for name in shared}, {name: expected[name] for name in shared}):
            caller.journal.broken(RIGHTLY, f"{caller.name}, text {turn}: {what}")


async def _talk(
    caller: Caller, url: str, kind: str, works: Sequence[Frame], pace_s: float
) -> list[tuple[Frame, dict[str, Any]]]:
    """Return each work with its answer, as they came."""

    async def in_turn() -> AsyncIterator[Frame]:
        for work in works:
            yield work
            await asyncio.sleep(pace_s)

    async with Listener(url, caller, kind) as client:
        answers = [pair async for pair in client.answers(in_turn())]
    caller.journal.checked("once", len(answers))
    for before, after in client.contradictions:
        caller.journal.broken("once", f"{caller.name} was told {after} after {before}")
    return answers
