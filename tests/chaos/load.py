"""The load: clients of every kind, each with a token of its own, who ask for as long as the run lasts."""

import asyncio
import random
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from model_store.model_ref import ModelRef
from tests.chaos.caller import PATIENCE_S, Caller
from tests.chaos.ground import Ground
from tests.chaos.invariants import ALWAYS_ASKING
from tests.chaos.jobs import Poster
from tests.chaos.journal import Journal
from tests.chaos.payments import pay
from tests.chaos.questions import Known, picture_questions, taste_questions
from tests.chaos.releases import Operator, Releases
from tests.chaos.scored import Reference
from tests.chaos.scraper import Scraper
from tests.chaos.sockets import stream_payments, stream_texts
from tests.chaos.tensors import Marks, send_tensors
from tests.factories.scored_alone import ScoredAlone

# After the end of the load, so long what is under way may take.
FINISH_S = 120.0
USERS_EACH = 12
CLIENTS = "/api/v1/clients"
SENDERS = ("tensors", "payer", "shop", "writer")
SCOPES = ("infer", "jobs")


class Load:
    """All callers. `prepare` makes them while all is well, `run` lets them ask, `wrong_at_the_end` sums up."""

    def __init__(self, ground: Ground, journal: Journal, *, seed: int, folder: Path, patience: float = 1.0) -> None:
        self._ground, self._journal, self._rng = ground, journal, random.Random(seed)
        self._over, self._connections = asyncio.Event(), AsyncExitStack()
        self._releases, self._folder = Releases(), folder
        self.scraper = Scraper(ground.stack.url, journal, self._releases, patience=patience)
        self.reference = Reference(ScoredAlone(ground.stack.var_dir / "store", ModelRef("fraud", 1)), journal)

    async def prepare(self) -> None:
        """Publish the first version of the model whose answers name it, and learn what is to be answered."""
        token = await asyncio.to_thread(self._ground.stack.token)
        self._operator = Operator(await self._caller_with("operator", token), self._releases, self._folder)
        await self._operator.release()
        pictures = [path.read_bytes() for path in sorted((self._ground.stack.var_dir / "samples").glob("digit-*.png"))]
        self._known = [
            Known(await self._caller(f"pictures-{n}"), picture_questions(pictures[n::2])) for n in range(2)
        ] + [Known(await self._caller(f"tastes-{n}"), taste_questions(_users(n))) for n in range(2)]
        self._posters = [await self._poster(n) for n in range(2)]
        for known in (*self._known, *(poster.known for poster in self._posters)):
            await known.learn()
        self._senders = {name: [await self._caller(f"{name}-{n}") for n in range(2)] for name in SENDERS}

    async def run(self, disturbance: Coroutine[Any, Any, None]) -> None:
        """Have all callers ask until the disturbance is over, and finish what they asked. Only that is counted."""
        await self.scraper.begin()
        self._journal.begin(ALWAYS_ASKING)
        tasks = [asyncio.create_task(work, name=name) for name, work in self._works()]
        try:
            await disturbance
        finally:
            # From then on callers only finish what they asked.
            self._journal.close_silences()
            self._over.set()
            await settle(tasks, self._journal, within_s=FINISH_S)
        await self.scraper.end()

    async def wrong_at_the_end(self) -> list[str]:
        """Return what is not as the callers left it, in words."""
        wrong = await self._operator.wrong_at_the_end()
        for poster in self._posters:
            wrong += await poster.wrong_at_the_end()
        return wrong

    async def close(self) -> None:
        """Let all connections go."""
        await self._connections.aclose()
        self.reference.close()

    def _works(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        sockets = self._ground.url.replace("https", "wss", 1)
        for known in self._known:
            yield known.caller.name, known.ask_on(pace_s=0.1, rng=self._die())
        for n, caller in enumerate(self._senders["tensors"]):
            yield caller.name, send_tensors(caller, Marks(n + 1), self._releases, pace_s=0.05, rng=self._die())
        for caller in self._senders["payer"]:
            yield caller.name, pay(caller, self.reference, pace_s=0.1, rng=self._die())
        for caller in self._senders["shop"]:
            yield caller.name, stream_payments(caller, sockets, self.reference, pace_s=0.05, rng=self._die())
        for caller in self._senders["writer"]:
            yield caller.name, stream_texts(caller, sockets, pace_s=0.1, rng=self._die())
        for poster in self._posters:
            others = [other for other in self._posters if other is not poster]
            yield poster.caller.name, poster.post_on(others, rng=self._die())
        yield "scraper", self.scraper.scrape_on(self._over)
        yield "operator", self._operator.release_on(pace_s=5.0, rng=self._die())

    async def _poster(self, number: int) -> Poster:
        caller = await self._caller(f"poster-{number}")
        return Poster(
            caller=caller,
            marks=Marks(100 + number),
            known=Known(caller, taste_questions(_users(10 + number))),
            releases=self._releases,
            reference=self.reference,
        )

    async def _caller(self, name: str) -> Caller:
        """Make one more client, and a caller in its name."""
        members = {"json": {"scopes": SCOPES}}
        issued = (await self._operator.caller.ask("client", "POST", CLIENTS, good=(201,), **members)).json()
        form = {"grant_type": "client_credentials"} | {name: issued[name] for name in ("client_id", "client_secret")}
        answer = await self._operator.caller.ask("client", "POST", "/auth/token", data=form)
        return await self._caller_with(name, answer.json()["access_token"])

    async def _caller_with(self, name: str, token: str) -> Caller:
        http = httpx.AsyncClient(base_url=self._ground.url, verify=self._ground.full.nginx.tls, timeout=PATIENCE_S)
        await self._connections.enter_async_context(http)
        return Caller(name=name, token=token, http=http, journal=self._journal, over=self._over)

    def _die(self) -> random.Random:
        return random.Random(self._rng.getrandbits(64))


async def settle(tasks: Iterable["asyncio.Task[None]"], journal: Journal, *, within_s: float) -> None:
    """Wait for callers to end; who gives up, or is not done in time, has not been answered."""
    done, late = await asyncio.wait(tasks, timeout=within_s)
    for task in late:
        journal.broken("answered", f"{task.get_name()} was not done {within_s:g} s after the last blow")
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        if (err := task.exception()) is not None:
            journal.broken("answered", f"{task.get_name()} gave up: {err!r}")


def _users(number: int) -> range:
    return range(1 + USERS_EACH * number, 1 + USERS_EACH * (number + 1))
