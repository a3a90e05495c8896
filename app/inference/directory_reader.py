"""The directory as callers see it: the newest snapshot, and the last known one while Redis is away."""

import logging
import threading
import time
from collections.abc import Callable, Collection

import msgspec
import redis
from cachetools import LRUCache

from app.errors import RedisUnavailable
from app.inference.directory import (
    DIRECTORY_CHANNEL,
    DIRECTORY_KEY,
    EMPTY_DIRECTORY,
    WANTED_CHANNEL,
    WANTED_KEY,
    DirectorySnapshot,
    RunnerRecord,
    decode_directory,
)
from app.inference.messages import RunnerState
from app.infra.redis import Subscriber, redis_errors
from model_store.model_ref import ModelRef

logger = logging.getLogger(__name__)

# One wish per version and second is enough: the controller keeps a wanted version for minutes.
WISH_EVERY_S = 1.0
# Who waits for longer wishes again: a Redis that restarted has forgotten the first wish.
WISH_AGAIN_S = 2.0
LOADS_KEPT = 1024


class DirectoryReader:
    """Follows the controller's snapshots. One per process; make it after fork, `start` it, `stop` it.

    Reading never touches Redis and never blocks: a subscription replaces the snapshot whole, and stays on the
    last one it saw for as long as Redis or the controller is away. Safe from any thread or greenlet.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._snapshot = EMPTY_DIRECTORY
        self._changed = threading.Condition()
        self._wished_at: dict[ModelRef, float] = {}
        self._load_s: LRUCache[tuple[str, int], float] = LRUCache(LOADS_KEPT)
        self._subscriber = Subscriber(client, {DIRECTORY_CHANNEL: self._take}, on_connect=self._read)

    @property
    def snapshot(self) -> DirectorySnapshot:
        """The newest snapshot; empty until the first one was read."""
        return self._snapshot

    @property
    def is_connected(self) -> bool:
        """Whether changes arrive at present."""
        return self._subscriber.is_connected

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._subscriber.start()

    def stop(self) -> None:
        """Stop following and wait for the listening thread."""
        self._subscriber.stop()

    def wait_known(self, limit_s: float) -> bool:
        """Block until a snapshot was read, `limit_s` seconds at most; return whether one was."""
        with self._changed:
            return self._changed.wait_for(lambda: self._snapshot is not EMPTY_DIRECTORY, limit_s)

    def runners(self, ref: ModelRef) -> list[RunnerRecord]:
        """Return all runners of a version, whatever their state."""
        return [record for record in self._snapshot.runners if (record.name, record.version) == _key(ref)]

    def ready(self, ref: ModelRef, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Return the runners of a version that take requests, without those at the `excluding` addresses."""
        return [
            record
            for record in self.runners(ref)
            if record.state is RunnerState.READY and record.address not in excluding
        ]

    def wait_ready(self, ref: ModelRef, deadline: float, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Block until a runner of the version is READY or none can be hoped for by `deadline` (monotonic).

        Returns the READY ones: none when the deadline passed, or when the last attempt to load has failed. Wishes
        for the version again every WISH_AGAIN_S.
        """

        def is_over() -> bool:
            return bool(self.ready(ref, excluding=excluding)) or self.has_failed(ref)

        while not self._wait_for(is_over, min(deadline, time.monotonic() + WISH_AGAIN_S)):
            if time.monotonic() >= deadline:
                break
            self.want(ref)
        return self.ready(ref, excluding=excluding)

    def wait_unready(self, ref: ModelRef, deadline: float) -> bool:
        """Block until no runner of the version is READY; false when one still is at `deadline` (monotonic)."""
        return self._wait_for(lambda: not self.ready(ref), deadline)

    def has_failed(self, ref: ModelRef) -> bool:
        """Tell whether every known runner of the version is FAILED, and there is at least one."""
        records = self.runners(ref)
        return bool(records) and all(record.state is RunnerState.FAILED for record in records)

    def why_failed(self, ref: ModelRef) -> str:
        """Return why a version cannot be loaded; empty when it is not known to fail."""
        reasons = [record.reason for record in self.runners(ref) if record.state is RunnerState.FAILED]
        return next(filter(None, reasons), "")

    def why_held_back(self, ref: ModelRef) -> str:
        """Return why the controller starts no runner of a version; empty when nothing is in its way."""
        reasons = [each.reason for each in self._snapshot.held_back if (each.name, each.version) == _key(ref)]
        return next(iter(reasons), "")

    def load_s(self, ref: ModelRef) -> float:
        """Return how long the last load of a version took that was seen here; 0 when none was."""
        return self._load_s.get(_key(ref), 0.0)

    def want(self, ref: ModelRef, *, is_pressing: bool = False) -> None:
        """Ask the controller to run a version. Without Redis the wish is lost; the next call makes it again.

        A wish made within the last second stands for another one, unless that is pressing.
        """
        now = time.monotonic()
        if not is_pressing and now - self._wished_at.get(ref, -WISH_EVERY_S) < WISH_EVERY_S:
            return

        self._wished_at[ref] = now
        try:
            with redis_errors():
                self._client.zadd(WANTED_KEY, {str(ref): time.time()})
                self._client.publish(WANTED_CHANNEL, str(ref))
        except RedisUnavailable as err:
            logger.warning("the wish to run %s could not be made: %s", ref, err.detail)

    def _wait_for(self, is_so: Callable[[], bool], deadline: float) -> bool:
        with self._changed:
            return self._changed.wait_for(is_so, deadline - time.monotonic())

    def _read(self) -> None:
        with redis_errors():
            data = self._client.get(DIRECTORY_KEY)
        if isinstance(data, bytes):
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            snapshot = decode_directory(data)
        except msgspec.MsgspecError as err:
            # Two releases may share a Redis while one is rolled out: keep what is known.
            logger.warning("a directory was published that cannot be read: %s", err)
            return

        for record in snapshot.runners:
            if record.load_s:
                self._load_s[record.name, record.version] = record.load_s
        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()


def _key(ref: ModelRef) -> tuple[str, int]:
    return ref.name, ref.version
