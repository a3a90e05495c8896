"""Who asks for recommendations, and what they send: users drawn by Zipf's law, on behalf of several clients."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tests.load.http_load import Request
from tests.load.measure import Observed, observe
from tests.load.own_generator import Load, LoadReport, run_load
from tests.load.request_file import request_file, zipf_draws
from tests.load.stack import Stack

MODEL = "recommender"
PATH = "/api/v1/recommendations"
USERS, DRAWS, SEED = 10_000, 50_000, 4
# Each may ask 5000 times a second; together they may ask for three times what a small machine answers.
CLIENTS = 4
MOST_USERS_PER_CALL = 256
ITEMS = 10
BYPASS = {"Cache-Control": "no-cache"}


@dataclass(frozen=True, kw_only=True)
class Callers:
    """Clients of a stack with a token each; `headers` come with every request of theirs."""

    stack: Stack
    tokens: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)

    def asking(self, headers: Mapping[str, str]) -> "Callers":
        """Return the same callers, sending these headers as well."""
        return replace(self, headers={**self.headers, **headers})

    def warm(self) -> None:
        """Ask once for every user, many in a call, so that all answers are kept."""
        for first in range(1, USERS + 1, MOST_USERS_PER_CALL):
            users = list(range(first, min(first + MOST_USERS_PER_CALL, USERS + 1)))
            self.stack.call("POST", PATH, json={"user_ids": users, "k": ITEMS})

    @contextmanager
    def requests(self) -> Iterator[Path]:
        """Write the drawn requests to a file, which is gone after the block."""
        wire = cache(self._wire)
        with request_file(map(wire, zipf_draws(USERS, DRAWS, seed=SEED))) as path:
            yield path

    def run(self, load: Load) -> LoadReport:
        """Write the requests and make the load."""
        with self.requests() as requests:
            return self.send(requests, load)

    def send(self, requests: Path, load: Load) -> LoadReport:
        """Make the load with requests that are written."""
        return run_load(self.stack.url, requests, load)

    def observed(self, load: Load) -> Observed[LoadReport]:
        """Make the load and watch the stack."""
        with self.requests() as requests:
            return observe(self.stack, lambda: self.send(requests, load))

    def _wire(self, user: int) -> bytes:
        return Request(
            url=self.stack.url + PATH,
            token=self.tokens[user % len(self.tokens)],
            body=json.dumps({"user_id": user, "k": ITEMS}, separators=(",", ":")).encode(),
            content_type="application/json",
            headers=self.headers,
        ).wire


def callers_of(stack: Stack) -> Callers:
    """Make the clients, once the demo model answers."""
    stack.wait_for_model(MODEL)
    return Callers(stack=stack, tokens=tuple(stack.token_of_new_client("infer") for _ in range(CLIENTS)))
