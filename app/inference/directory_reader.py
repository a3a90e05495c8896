"""The directory as callers see it: the newest snapshot, and the last known one while Redis is away."""

import logging
import threading
import time
from collections.abc import Collection

import msgspec
import redis

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

    def runners(self, ref: ModelRef) -> list[RunnerRecord]:
        """Return all runners of a version, whatever their state."""
        return [record for record in self._snapshot.runners if (record.name, record.version) == (ref.name, ref.version)]

    def ready(self, ref: ModelRef, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Return the runners of a version that take requests, without those at the `excluding` addresses."""
        return [
            record
            for record in self.runners(ref)
            if record.state is RunnerState.READY and record.address not in excluding
        ]

    def wait_ready(self, ref: ModelRef, deadline: float, *, excluding: Collection[str] = ()) -> list[RunnerRecord]:
        """Block until a runner of the version is READY or none can be hoped for by `deadline` (monotonic).

        Returns the READY ones: none when the deadline passed, or when the last attempt to load has failed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self.ready(ref, excluding=excluding) or self.has_failed(ref), deadline - time.monotonic()
            )
        return self.ready(ref, excluding=excluding)

    def has_failed(self, ref: ModelRef) -> bool:
        """Tell whether every known runner of the version is FAILED, and there is at least one."""
        records = self.runners(ref)
        return bool(records) and all(record.state is RunnerState.FAILED for record in records)

    def want(self, ref: ModelRef) -> None:
        """Ask the controller to run a version. Without Redis the wish is lost; the next call makes it again."""
        now = time.monotonic()
        if now - self._wished_at.get(ref, -WISH_EVERY_S) < WISH_EVERY_S:
            return

        self._wished_at[ref] = now
        try:
            with redis_errors():
                self._client.zadd(WANTED_KEY, {str(ref): time.time()})
                self._client.publish(WANTED_CHANNEL, str(ref))
        except RedisUnavailable as err:
            logger.warning("the wish to run %s could not be made: %s", ref, err.detail)

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

        with self._changed:
            self._snapshot = snapshot
            self._changed.notify_all()
