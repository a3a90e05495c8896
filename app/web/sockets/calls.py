"""Events on their way to runners: what many sockets bring at about the same time goes in one call."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import gevent

from app.errors import GalleyError
from app.inference.client import InferenceClient
from app.inference.messages import Row, RowFailure, SequenceCall, Traced
from app.inference.refusals import row_error
from app.infra.log_context import current_request_id, current_traceparent
from app.scenarios.outcomes import Outcome
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

MOST_ROWS: Final = 256
# While a runner computes one call, the next one is gathered and sent.
MOST_CALLS: Final = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """One event as the runner takes it. `asked_at` is in monotonic seconds."""

    seq: int
    row: Row
    sequence: SequenceCall
    asked_at: float


@dataclass(frozen=True, slots=True)
class Undone:
    """Why nothing is known of an event: its whole call failed. It may have moved its sequence, and may come again."""

    error: GalleyError


Ended = tuple[Asked, Outcome | Undone]
"""An event, and what became of it."""


@dataclass(slots=True, eq=False)
class EventQueue:
    """The events of one session, which go one after the other, however many go at once."""

    ref: ModelRef
    client_id: str
    answered: Callable[[Sequence[Ended]], None]
    """Is told what became of the events of a call. It must not wait: other sessions' come next."""
    traced: Traced | None = None
    """The handshake of its socket, where the client traces it."""
    waiting: deque[Asked] = field(default_factory=deque)
    is_busy: bool = False
    """Whether it is in its lane already, or its events are in a call."""

    def withdraw(self, beyond: int = 0) -> list[Asked]:
        """Take back the events beyond a number that no call has yet."""
        taken = [event for event in self.waiting if event.seq > beyond]
        self.waiting = deque(event for event in self.waiting if event.seq <= beyond)
        return taken


Gathered = list[tuple[EventQueue, list[Asked]]]
"""The events of one call, by the sessions that they are of."""


@dataclass(slots=True, eq=False)
class _Lane:
    """The sessions of one client that one version answers, and how many calls of theirs are under way."""

    ready: deque[EventQueue] = field(default_factory=deque)
    calls: int = 0


class EventCalls:
    """Asks runners. There is no timer: while one call is under way the next gathers, and no longer.

    A session's events are never in two calls at once: they would be in two places of the runner's queue, or at two
    runners. One per web worker; used by the greenlets of one hub.
    """

    def __init__(
        self, inference: InferenceClient, *, limit_s: float, check: Callable[[ModelRef], object] = lambda _ref: None
    ) -> None:
        """`check` raises what is to be said where a version is no longer there: it would be waited for in vain."""
        self._inference = inference
        self._check = check
        self._limit_s = limit_s
        self._lanes: dict[tuple[ModelRef, str], _Lane] = {}

    def put(self, queue: EventQueue, event: Asked) -> None:
        """Take an event in; returns at once."""
        queue.waiting.append(event)
        if queue.is_busy:
            return

        queue.is_busy = True
        key = queue.ref, queue.client_id
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        lane.ready.append(queue)
        if lane.calls < MOST_CALLS:
            lane.calls += 1
            gevent.spawn(self._serve, key, lane)

    def _serve(self, key: tuple[ModelRef, str], lane: _Lane) -> None:
        try:
            while lane.ready:
                self._call(lane)
        finally:
            lane.calls -= 1
            if not lane.calls and self._lanes.get(key) is lane:
                del self._lanes[key]

    def _call(self, lane: _Lane) -> None:
        """Ask for what waits; whoever is ready meanwhile goes with the next call."""
        gathered = _gather(lane)
        if not gathered:
            return

        outcomes = iter(self._outcomes(gathered))
        for queue, events in gathered:
            try:
                queue.answered(list(zip(events, islice(outcomes, len(events)), strict=True)))
            finally:
                queue.is_busy = bool(queue.waiting)
                if queue.is_busy:
                    lane.ready.append(queue)

    def _outcomes(self, gathered: Gathered) -> list[Outcome | Undone]:
        asker, events = gathered[0][0], [event for _, events in gathered for event in events]
        try:
            self._check(asker.ref)
            answer = self._inference.infer(
                asker.ref,
                [event.row for event in events],
                deadline=time.monotonic() + self._limit_s,
                client_id=asker.client_id,
                sequences=[event.sequence for event in events],
                traced=[queue.traced for queue, _ in gathered if queue.traced],
            )
        except GalleyError as err:
            return [Undone(err)] * len(events)
        except Exception:
            # The sessions of others wait in this greenlet, too.
            logger.exception("a call of %d events failed", len(events))
            return [Undone(GalleyError("Something went wrong here; it was noted."))] * len(events)

        return [row_error(row) if isinstance(row, RowFailure) else row for row in answer.rows]


def traced_handshake() -> Traced | None:
    """Return the request that this greenlet serves, if its client traces it."""
    traceparent = current_traceparent()
    return Traced(request_id=current_request_id(), traceparent=traceparent) if traceparent else None


def _gather(lane: _Lane) -> Gathered:
    gathered: Gathered = []
    count = 0
    while lane.ready and count < MOST_ROWS:
        queue = lane.ready.popleft()
        events = queue.withdraw()
        if not events:
            # They were taken back while it waited for its turn.
            queue.is_busy = False
            continue
        gathered.append((queue, events))
        count += len(events)
    return gathered
