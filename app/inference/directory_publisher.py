"""The directory as the controller writes it: one snapshot, replaced whole, kept in Redis and announced."""

import logging

import redis

from app.errors import RedisUnavailable
from app.inference.directory import DIRECTORY_CHANNEL, DIRECTORY_KEY, DirectorySnapshot, encode_directory
from app.infra.redis import redis_errors

logger = logging.getLogger(__name__)


class DirectoryPublisher:
    """Publishes snapshots. An outage of Redis is logged once and healed by the next snapshot."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._is_away = False

    def publish(self, snapshot: DirectorySnapshot) -> None:
        """Replace the snapshot and tell all readers; does nothing lasting while Redis is away."""
        data = encode_directory(snapshot)
        try:
            with redis_errors(), self._client.pipeline(transaction=False) as pipeline:
                pipeline.set(DIRECTORY_KEY, data)
                pipeline.publish(DIRECTORY_CHANNEL, data)
                pipeline.execute()
        except RedisUnavailable as err:
            self._note(is_away=True, detail=err.detail)
        else:
            self._note(is_away=False, detail="")

    def _note(self, *, is_away: bool, detail: str) -> None:
        if is_away and not self._is_away:
            logger.warning("the directory cannot be published: %s", detail)
        if self._is_away and not is_away:
            logger.info("the directory is published again")
        self._is_away = is_away
