"""Batches on their way to Redis: sent on a thread of their own, kept while it is away, sent again as they were."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from prometheus_client import Counter
from redis.exceptions import RedisError

from app.errors import RedisUnavailable

logger = logging.getLogger(__name__)


class Sized(Protocol):
    """A batch that knows how much is in it."""

    @property
    def size(self) -> int:
        """How many requests it counts."""


B = TypeVar("B", bound=Sized)


class Outbox(Generic[B]):
    """Sends what `next_batch` returns, until that is None, by `add`; what is given up is counted in `dropped`.

    `add` must add a batch once however often it gets it: one that failed may have been added all the same.
    """

    def __init__(
        self,
        name: str,
        next_batch: Callable[[], B | None],
        add: Callable[[B], None],
        *,
        every_s: float,
        dropped: Counter,
    ) -> None:
        self._name = name
        self._next_batch = next_batch
        self._add = add
        self._every_s = every_s
        self._dropped = dropped
        self._unsent: B | None = None
        self._has_warned = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)

    def flush(self) -> bool:
        """Send what waits, and say whether all of it was sent; what was not waits on.

        Only one thread may flush at a time: once started, that is the outbox's own.
        """
        while batch := self._unsent or self._next_batch():
            self._unsent = batch
            if not self._send(batch):
                return False
            self._unsent = None
        return True

    def start(self) -> None:
        """Begin to send every `every_s`."""
        self._thread.start()

    def stop(self) -> None:
        """Send what still waits, and end; what Redis does not take now is lost and counted."""
        self._stopping.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.flush()
        if not self.flush():
            self._give_up()

    def _give_up(self) -> None:
        lost = 0
        while batch := self._unsent or self._next_batch():
            lost, self._unsent = lost + batch.size, None
        self._dropped.inc(lost)
        logger.warning("no Redis at the end: the %s of %d requests are lost", self._name, lost)

    def _send(self, batch: B) -> bool:
        """Send a batch; say whether it is done with."""
        try:
            self._add(batch)
        except RedisUnavailable as err:
            if not self._has_warned:
                logger.warning("no Redis for %s, they wait in memory: %s", self._name, err.detail)
            self._has_warned = True
            return False
        except RedisError as err:
            # Redis is there and refuses: it would refuse this batch again, and all behind it would wait for ever.
            self._dropped.inc(batch.size)
            logger.error("Redis refuses the %s of %d requests, which are lost: %s", self._name, batch.size, err)

        self._has_warned = False
        return True
