"""What should run: named by SQL or wanted by callers, read on a thread of its own, last known while SQL is away."""

import logging
import threading
import time
from collections.abc import Callable
from typing import cast

import redis

from app.errors import DatabaseUnavailable, InvalidName, RedisUnavailable
from app.inference.directory import WANTED_CHANNEL, WANTED_KEY
from app.infra.log_context import log_fields
from app.infra.redis import Subscriber, redis_errors
from app.services.catalog import CATALOG_CHANNEL, cause_of
from app.services.releases import ReleaseService
from model_store.model_ref import ModelRef
from workers.controller.wishes import Wishes, read_wishes

logger = logging.getLogger(__name__)


class DesiredVersions:
    """Keeps `wishes` up to date: at once when told of a change, else every `every_s`.

    A thread of its own, because SQL may block for seconds while runners must be watched. `on_change` is called
    on that thread.
    """

    def __init__(
        self,
        releases: ReleaseService,
        client: redis.Redis,
        *,
        every_s: float,
        wanted_s: float,
        on_change: Callable[[], None],
    ) -> None:
        self.wishes: Wishes | None = None
        """None until SQL was read once: nothing may be ended before it is known what should run."""
        self._releases = releases
        self._client = client
        self._every_s = every_s
        self._wanted_s = wanted_s
        self._on_change = on_change
        self._wanted_at: dict[ModelRef, float] = {}
        self._outages: set[str] = set()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="desired-versions", daemon=True)
        channels = {CATALOG_CHANNEL: self._told_of_change, WANTED_CHANNEL: self._told}
        self._subscriber = Subscriber(client, channels, on_connect=self._wake.set)

    @property
    def has_died(self) -> bool:
        """Whether the reading thread ended though nobody stopped it: a mistake of ours, already logged."""
        return not (self._thread.is_alive() or self._stopping.is_set())

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._thread.start()
        self._subscriber.start()

    def stop(self) -> None:
        """Stop reading and wait for both threads."""
        self._stopping.set()
        self._wake.set()
        self._subscriber.stop()
        self._thread.join()

    def _told_of_change(self, notice: bytes) -> None:
        cause = cause_of(notice)
        if cause:
            with log_fields(**cause):
                logger.info("the catalog was changed")
        self._wake.set()

    def _told(self, _message: bytes) -> None:
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self.refresh()
            self._wake.wait(self._every_s)

    def refresh(self) -> None:
        """Read both sources once; one that is away keeps its last known part."""
        try:
            self._wanted_at = self._read_wanted()
            self._note("Redis", None)
        except RedisUnavailable as err:
            self._note("Redis", err.detail)
        try:
            wishes = read_wishes(self._releases.catalog(), self._wanted_at)
            self._note("SQL", None)
        except DatabaseUnavailable as err:
            self._note("SQL", err.detail)
            return

        if not wishes.is_same(self.wishes):
            self.wishes = wishes
            self._on_change()

    def _read_wanted(self) -> dict[ModelRef, float]:
        oldest = time.time() - self._wanted_s
        with redis_errors():
            self._client.zremrangebyscore(WANTED_KEY, "-inf", oldest)
            members = cast("list[tuple[bytes, float]]", self._client.zrange(WANTED_KEY, 0, -1, withscores=True))
        wanted = {_parse(member): at for member, at in members}
        return {ref: at for ref, at in wanted.items() if ref is not None}

    def _note(self, source: str, problem: str | None) -> None:
        if problem is not None and source not in self._outages:
            logger.warning("%s is away, going on with what was known: %s", source, problem)
        if problem is None and source in self._outages:
            logger.info("%s is back", source)
        self._outages = self._outages | {source} if problem else self._outages - {source}


def _parse(member: bytes) -> ModelRef | None:
    name, _, version = member.decode("utf-8", "replace").rpartition("/")
    try:
        return ModelRef(name, int(version))
    except (InvalidName, ValueError):
        logger.warning("a wish cannot be read: %r", member)
        return None
