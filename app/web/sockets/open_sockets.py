"""The sockets that one web worker has open: each is looked after, all are told when the worker ends."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import gevent
from flask import Flask, current_app
from gevent.event import Event

from app.errors import Draining, RedisUnavailable
from app.web.sockets.conversation import Conversation
from app.web.sockets.keeper import Keeper

logger = logging.getLogger(__name__)

STEP_S: Final = 1.0
DRAINING_STEP_S: Final = 0.1

_KEY: Final = "galley_open_sockets"


class OpenSockets:
    """Conversations, and whose session each has. Two greenlets look after all of them, for as long as there are any.

    A timer for each of thousands would cost more than to look at them once a second. What takes a trip to Redis is
    done by a greenlet of its own: while Redis is slow the other still ends who is silent.
    """

    def __init__(self, keeper: Keeper, *, step_s: float = STEP_S) -> None:
        self._keeper = keeper
        self._step_s = step_s
        self._open: set[Conversation] = set()
        self._holders: defaultdict[str, set[Conversation]] = defaultdict(set)
        self._caretakers: list[gevent.Greenlet] = []
        self._draining = Event()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._open)

    def check_open(self) -> None:
        """Refuse a socket that comes while the worker ends.

        :raises Draining: then.
        """
        if self._draining.is_set():
            raise Draining("This worker is about to end; connect again.")

    @contextmanager
    def following(self, conversation: Conversation) -> Iterator[None]:
        """Look after a conversation for the length of the block."""
        self._open.add(conversation)
        conversation.on_received(lambda guest: self._holders[guest.session.id].add(conversation))
        if self._draining.is_set():
            # The worker began to end during the handshake.
            conversation.leave()
        if not self._caretakers:
            self._caretakers = [gevent.spawn(self._look_after), gevent.spawn(self._keep)]
        try:
            yield
        finally:
            self._forget(conversation)

    def hear_taken(self, session_id: str, epoch: int) -> None:
        """Hear that a session goes on at another socket."""
        for conversation in self._holders.get(session_id, ()):
            conversation.lose(epoch)

    def drain(self) -> None:
        """Let all sockets end once what they took in is answered: their clients resume at a worker that stays."""
        self._draining.set()
        for conversation in list(self._open):
            conversation.leave()

    def _forget(self, conversation: Conversation) -> None:
        self._open.discard(conversation)
        if conversation.guest is not None:
            session_id = conversation.guest.session.id
            self._holders[session_id].discard(conversation)
            if not self._holders[session_id]:
                del self._holders[session_id]
        if not self._open:
            gevent.killall(self._caretakers, block=False)
            self._caretakers = []

    def _look_after(self) -> None:
        while True:
            if self._draining.wait(self._step_s):
                # There may be little time.
                gevent.sleep(min(self._step_s, DRAINING_STEP_S))
            for conversation in list(self._open):
                _look_at(conversation)

    def _keep(self) -> None:
        while True:
            gevent.sleep(self._step_s)
            try:
                self._keeper.keep(list(self._open), time.monotonic())
            except RedisUnavailable as err:
                logger.debug("sockets are kept later: %s", err.detail)
            except Exception:
                logger.exception("sockets could not be kept")


def _look_at(conversation: Conversation) -> None:
    try:
        conversation.look_after(time.monotonic())
    except Exception:
        logger.exception("a socket could not be looked after")
        conversation.fail()


def init_open_sockets(app: Flask, keeper: Keeper) -> OpenSockets:
    """Give `app` its sockets, of which none is open yet."""
    sockets = app.extensions[_KEY] = OpenSockets(keeper)
    return sockets


def sockets_of(app: Flask) -> OpenSockets:
    """Return the open sockets of `app`."""
    sockets: OpenSockets = app.extensions[_KEY]
    return sockets


def current_sockets() -> OpenSockets:
    """Return the open sockets of the current app."""
    return sockets_of(current_app)
