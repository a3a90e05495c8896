"""How many WebSockets each client has open, over all web workers: one sorted set of Redis each."""

import secrets
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import redis

from app.errors import TooManySockets
from app.infra.clock import Clock
from app.infra.redis import redis_errors

REMEMBERED_S: Final = 180
"""A place that nobody keeps for so long is free again: its worker was killed."""

_PREFIX: Final = "galley:sockets:"


class SocketPlaces:
    """Gives each client `most` places. Greenlets may share it.

    Two that come for the last place at the same moment may both be refused; never do both get it.

    :raises RedisUnavailable: from all methods.
    """

    def __init__(self, client: redis.Redis, *, most: int, clock: Clock | None = None) -> None:
        self._client = client
        self._most = most
        self._clock = clock or Clock()

    def take(self, client_id: str) -> str:
        """Take a place; return its id.

        :raises TooManySockets: when the client has none left.
        """
        key, place, now = _PREFIX + client_id, secrets.token_hex(8), self._clock.now()
        with redis_errors(), self._client.pipeline() as trip:
            trip.zremrangebyscore(key, "-inf", now - REMEMBERED_S)
            trip.zadd(key, {place: now})
            trip.zcard(key)
            trip.expire(key, REMEMBERED_S)
            _, _, count, _ = trip.execute()
        if count > self._most:
            self.leave(client_id, place)
            raise TooManySockets(self._most)

        return place

    def keep(self, clients: Mapping[str, str]) -> None:
        """Say that places are still taken, in one trip: whose each is. One that was given back meanwhile stays free."""
        places: defaultdict[str, dict[str, float]] = defaultdict(dict)
        now = self._clock.now()
        for place, client_id in clients.items():
            places[client_id][place] = now
        with redis_errors(), self._client.pipeline(transaction=False) as trip:
            for client_id, scores in places.items():
                trip.zadd(_PREFIX + client_id, scores, xx=True)
                trip.expire(_PREFIX + client_id, REMEMBERED_S)
            trip.execute()

    def leave(self, client_id: str, place: str) -> None:
        """Give a place back."""
        with redis_errors():
            self._client.zrem(_PREFIX + client_id, place)
