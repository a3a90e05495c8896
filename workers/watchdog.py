"""Ends a Celery worker that looks alive and receives nothing, so that whoever keeps it up starts another.

It is a known fault of Celery on Redis: after the connection was lost and came back, a worker may wait for ever for
messages that it does not ask for. Or it breaks over the loss, tries to end, and waits for ever for its pool. Nor is one
worth keeping whose beat sends nothing: nobody else would notice.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from celery import bootsteps, signals
from celery.worker import state
from prometheus_client import Counter
from redis.exceptions import RedisError

from app.errors import RedisUnavailable
from app.infra.broker import VISIBILITY_TIMEOUT_S
from app.infra.broker_queues import BrokerQueues
from app.infra.clock import Clock
from app.infra.redis import make_state_redis
from app.settings import Settings
from workers.beat_pulse import BeatPulse
from workers.schedule import HEAL_EVERY_S

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
# So often it looks within its patience, at least: a message that is seen once may be on its way.
LEAST_LOOKS: Final = 4
# So much later than due, a look counts for nothing: the machine slept, or the process was stopped.
LATE: Final = 3.0
# Longer than the time limit of any task: its message comes again after that.
LONGEST_TASK_S: Final = VISIBILITY_TIMEOUT_S

# However short its patience is: beat sends something every HEAL_EVERY_S, and looks for Redis as seldom as every 30 s.
LEAST_BEAT_SILENCE_S: Final = 6 * HEAL_EVERY_S
# What broke cannot acknowledge what it works on: nothing is won by waiting for it.
BROKEN_S: Final = 10.0
DEAF: Final = "it receives nothing although messages wait for it"
NO_BEAT: Final = "its beat sends nothing"
BROKEN: Final = "it broke, and does not come to its end"

ENDED = Counter("galley_watchdog_ended", "Celery workers that were ended: deaf, broken or without beat")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at a worker showed."""

    received: int
    """Messages that it has received since its start."""
    waiting: int
    """Messages in its queues; none while nobody can tell, since Redis is away."""
    has_room: bool
    """Whether one of its processes has nothing to do."""
    beats: int | None = None
    """Messages that its beat has sent since its start; None where it has none, or Redis is away."""
    is_ending: bool = False
    """Whether it is about to end, though nobody told it to."""


class Patience:
    """Judges, look by look, whether a worker has been deaf, or its beat silent, for too long."""

    def __init__(self, *, silence_s: float, clock: Clock | None = None) -> None:
        self.every_s = min(LOOK_EVERY_S, silence_s / LEAST_LOOKS)
        self._silence_s = silence_s
        self._clock = clock or Clock()
        self._received = -1
        self._beats: int | None = None
        self._looked_at = self._well_at = self._heard_at = self._beat_at = self._whole_at = self._clock.monotonic()

    def reason(self, look: Look) -> str | None:
        """Take note of a look; return why patience is over, if it is.

        That is when it broke, or all of the last `silence_s` seconds showed work that was not taken, or no beat. Who
        says that it is busy is borne for as long as a task may take: it may wait for one that was lost.
        """
        now = self._clock.monotonic()
        is_late = now - self._looked_at > LATE * self.every_s
        hears = not look.waiting or look.received != self._received
        self._looked_at, self._received = now, look.received
        if is_late or hears:
            self._heard_at = now
        if is_late or hears or not look.has_room:
            self._well_at = now
        if is_late or look.beats is None or look.beats != self._beats:
            self._beat_at = now
        self._beats = look.beats
        if is_late or not look.is_ending:
            self._whole_at = now
        return self._reason(now)

    def _reason(self, now: float) -> str | None:
        if now - self._whole_at >= min(self._silence_s, BROKEN_S):
            return BROKEN
        if now - self._beat_at >= max(self._silence_s, LEAST_BEAT_SILENCE_S):
            return NO_BEAT
        is_deaf = now - self._well_at >= self._silence_s or now - self._heard_at >= LONGEST_TASK_S
        return DEAF if is_deaf else None


class Watchdog:
    """Looks at a worker on a thread of its own, until it calls `end` or is stopped.

    The thread asks Redis, and nothing else that has locks: the pool forks beside it.
    """

    def __init__(self, patience: Patience, *, look: Callable[[], Look], end: Callable[[str], None]) -> None:
        self._patience = patience
        self._look = look
        self._end = end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()

    def stop(self, **_: Any) -> None:
        """Look no more. It does not wait: Celery calls it in a signal handler."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._patience.every_s):
            reason = self._patience.reason(self._look())
            if reason is not None:
                self._end(reason)
                return


class WorkerView:
    """What a watchdog sees of the worker whose main process it lives in."""

    def __init__(self, worker: Any, queues: BrokerQueues, pulse: BeatPulse) -> None:
        self._worker = worker
        self._queues = queues
        # No beat, no pulse.
        self._pulse = pulse if worker.beat else None
        self._received = 0

    def note_received(self, **_: Any) -> None:
        """Count a message that was received; Celery's signal of it."""
        self._received += 1

    def look(self) -> Look:
        """Look at the worker and its queues, those it serves at present."""
        has_room = len(state.reserved_requests) < self._worker.pool.num_processes
        # Who is told to end is not looked at any more.
        is_ending = self._worker.blueprint.state in (bootsteps.CLOSE, bootsteps.TERMINATE)
        try:
            waiting = self._queues.count(list(self._worker.app.amqp.queues.consume_from))
        except (RedisUnavailable, RedisError) as err:
            logger.info("the watchdog cannot look into the queues: %s", err)
            return Look(received=self._received, waiting=0, has_room=has_room, is_ending=is_ending)

        beats = self._pulse.count if self._pulse is not None else None
        return Look(received=self._received, waiting=waiting, has_room=has_room, beats=beats, is_ending=is_ending)


def watch_over(worker: Any, settings: Settings, pulse: BeatPulse) -> None:
    """Start a watchdog over the Celery worker that this process is the main process of; it ends with the worker."""
    view = WorkerView(worker, BrokerQueues(make_state_redis(settings)), pulse)
    signals.task_received.connect(view.note_received, weak=False)
    end = partial(end_worker, drain_s=settings.drain_s)
    watchdog = Watchdog(Patience(silence_s=settings.watchdog_s), look=view.look, end=end)
    # Who was told to end has a reason to receive nothing.
    signals.worker_shutting_down.connect(watchdog.stop, weak=False)
    watchdog.start()


def end_worker(reason: str, *, drain_s: float) -> None:
    """End the worker this process is: as if it was told to, and if it does not end in time, for good.

    What it was working on is done again, by another.
    """
    logger.error("this worker ends, to be started again: %s", reason)
    ENDED.inc()
    os.kill(os.getpid(), signal.SIGTERM)
    # This is a daemon's thread: if the worker ends, so does the wait.
    threading.Event().wait(drain_s)
    logger.error("the worker has not ended within %g s; it is killed", drain_s)
    os.kill(os.getpid(), signal.SIGKILL)
