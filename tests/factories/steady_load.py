"""A load of every sort that goes on while operators work: kept and fresh connections through TLS, and streams."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import httpx

from tests.factories.full_stack import FullStack
from tests.factories.load import Load, Outcome, running_load
from tests.factories.stack import classify
from tests.factories.stream_load import StreamLoad, session_payments
from tests.factories.waiting import wait_until

PATIENCE_S = 120.0
ACCOUNTS = 2
PAYMENTS = 15


@dataclass(frozen=True, kw_only=True)
class SteadyLoad:
    """What callers were answered so far."""

    kept: Load
    fresh: Load
    streams: StreamLoad

    def lost(self) -> list[Outcome]:
        """Return the requests that got no good answer."""
        return [one for load in (self.kept, self.fresh) for one in load.outcomes if one.status != httpx.codes.OK]

    def wait_more(self, count: int = 10) -> None:
        """Wait until so many more were answered of each sort."""
        before = [len(self.kept.outcomes), len(self.fresh.outcomes), self.streams.answered]

        def has_more() -> bool:
            now = [len(self.kept.outcomes), len(self.fresh.outcomes), self.streams.answered]
            return all(after - earlier >= count for after, earlier in zip(now, before, strict=True))

        wait_until(has_more, timeout_s=PATIENCE_S)

    def wrong_streams(self) -> list[object]:
        """Return what streams were answered that is no score, and answers that contradict each other."""
        answers = [answer for talk in self.streams.answers.values() for _, answer in talk]
        return [*(one for one in answers if one["type"] != "score"), *self.streams.contradictions]

    def unanswered_events(self) -> int:
        """Return how many payments of the streams got no answer of their own."""
        sent = ACCOUNTS * PAYMENTS * len(self.streams.answers)
        return sent - sum(len({work["event_id"] for work, _ in talk}) for talk in self.streams.answers.values())


@contextmanager
def steady_load(full: FullStack, run: str) -> Iterator[SteadyLoad]:
    """Keep callers of every sort busy for the length of the block; all have their answers when it ends."""
    token, picture = full.stack.token(), full.stack.picture.read_bytes()

    def by_fresh_connection(_: httpx.Client) -> httpx.Response:
        with full.client(token) as client:
            return classify(client, picture)

    with (
        _streaming(full, token, run) as streams,
        running_load(lambda: full.client(token), lambda client: classify(client, picture), threads=2) as kept,
        running_load(lambda: full.client(token), by_fresh_connection, threads=1) as fresh,
    ):
        load = SteadyLoad(kept=kept, fresh=fresh, streams=streams)
        load.wait_more()
        yield load
        load.wait_more()


@contextmanager
def _streaming(full: FullStack, token: str, run: str) -> Iterator[StreamLoad]:
    """Have sessions follow each other, with the client that resumes; the last one ends with the block."""
    load, is_over = StreamLoad(), threading.Event()
    url = full.url.replace("https", "wss", 1) + "/api/v1/fraud/stream"

    async def talk() -> None:
        turn = 0
        while not is_over.is_set():
            turn += 1
            name = f"{run}-{turn}"
            await load.payments(name, url, token, session_payments(name, accounts=ACCOUNTS, each=PAYMENTS))

    talker = threading.Thread(target=lambda: asyncio.run(talk()))
    with mock.patch.dict("os.environ", SSL_CERT_FILE=str(full.nginx.ca)):
        talker.start()
        try:
            yield load
        finally:
            is_over.set()
            talker.join()
            # What asyncio has left unclosed is told of now, not in another test.
            gc.collect()
