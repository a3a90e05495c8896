"""Who tells Redis that open sockets still have their sessions and places, many at a time."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import gevent

from app.services.socket_places import SocketPlaces
from app.services.stream_sessions import StreamSessions
from app.web.sockets.conversation import Conversation
from app.web.sockets.reception import Guest

AT_ONCE: Final = 128
"""So many sockets share a trip: Redis and the hub have other things to do, too."""


class Keeper:
    """Keeps what sockets hold in Redis; one per web worker."""

    def __init__(self, sessions: StreamSessions, places: SocketPlaces) -> None:
        self._sessions = sessions
        self._places = places

    def keep(self, conversations: Iterable[Conversation], now: float) -> None:
        """Keep what is due at a moment in monotonic seconds, and tell each conversation whether it still has it.

        :raises RedisUnavailable: when Redis is away; what was not kept stays due.
        """
        due = ((each, each.guest) for each in conversations if each.is_to_be_kept(now))
        held = ((conversation, guest) for conversation, guest in due if guest is not None)
        while batch := list(islice(held, AT_ONCE)):
            self._keep_some(batch, now)
            gevent.sleep(0)

    def _keep_some(self, batch: list[tuple[Conversation, Guest]], now: float) -> None:
        self._places.keep({guest.place: guest.identity.client_id for _, guest in batch})
        holds = self._sessions.keep([guest.session for _, guest in batch])
        for (conversation, _), hold in zip(batch, holds, strict=True):
            conversation.hear_kept(hold, now)
