"""A client of Galley's as it should be: it asks again until it is answered, and looks closely at each answer."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.answers import NEVER, REQUEST_ID, RETRY_AFTER, breaches, symptom_of, symptom_of_error
from tests.chaos.journal import Failure, Journal

PAUSE_S = 0.1
# Longer than nginx waits for Galley, so that it is never the caller who gives up.
PATIENCE_S = 90.0


class Refused(Exception):
    """The answer is one that asking again does not help, and that nothing excuses."""


@dataclass
class Caller:
    """One client, with a token of its own."""

    name: str
    token: str
    http: httpx.AsyncClient
    journal: Journal
    over: asyncio.Event
    """Set when no more work is to be begun; what is under way is finished."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def ask(
        self, kind: str, method: str, path: str, *, good: tuple[int, ...] = (200,), **request: Any
    ) -> httpx.Response:
        """Ask until there is an answer with one of the `good` statuses.

        :raises Refused: when it says that this caller is wrong, or that the server is.
        """
        while True:
            answer = await self._try(kind, method, path, good, request)
            if answer is not None and answer.status_code in good:
                self.journal.good(kind)
                return answer
            await asyncio.sleep(_pause_s(answer))

    async def read(self, kind: str, path: str) -> list[Any]:
        """Read lines of JSON to their end; a stream that breaks off is read again from its start."""
        answer = await self.ask(kind, "GET", path)
        return [json.loads(line) for line in answer.content.splitlines()]

    async def _try(
        self, kind: str, method: str, path: str, good: tuple[int, ...], request: dict[str, Any]
    ) -> httpx.Response | None:
        request_id, began_s = f"{self.name}-{next(self._numbers)}", self.journal.now_s()
        headers = {"Authorization": f"Bearer {self.token}", REQUEST_ID: request_id, **request.get("headers", {})}
        try:
            answer = await self.http.request(method, path, **{**request, "headers": headers})
        except httpx.HTTPError as err:
            self.journal.answers[method, 0] += 1
            self._failed(kind, symptom_of_error(err), began_s, f"{request_id} {err!r}")
            return None

        self.journal.answers[method, answer.status_code] += 1
        self.journal.checked("in form")
        for breach in breaches(answer, request_id):
            self.journal.broken("in form", f"{request_id} {method} {path}: {breach}")
        if answer.status_code not in good:
            symptom = symptom_of(answer)
            self._failed(kind, symptom, began_s, f"{request_id} {answer.text[:200]}")
            if symptom.startswith(NEVER):
                raise Refused(f"{request_id} {method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def _failed(self, kind: str, symptom: str, began_s: float, what: str) -> None:
        ended_s = self.journal.now_s()
        self.journal.failed(Failure(kind=kind, symptom=symptom, began_s=began_s, ended_s=ended_s, what=what))


def _pause_s(answer: httpx.Response | None) -> float:
    """Return how long to wait; callers that were told for how long heed it."""
    return float(answer.headers.get(RETRY_AFTER, PAUSE_S)) if answer is not None else PAUSE_S
