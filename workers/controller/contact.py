"""The controller's line to one runner: one open question at a time, answers read without waiting."""

import itertools
import logging
import time
from math import inf

import msgspec
import zmq

from app.inference.messages import RunnerStatus, StatusRequest, decode_reply, encode

logger = logging.getLogger(__name__)

# A question that is not answered for so long is asked again.
REPEAT_S = 2.0
# An answer wakes the controller: without a pause it would ask and be answered thousands of times a second.
PAUSE_S = 0.05

_call_ids = itertools.count(1)


class RunnerContact:
    """A DEALER socket to one runner. It may be made before the runner listens."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.reconnect_ivl = 20
        self.socket.connect(address)
        self._asked_at = -inf
        self._waiting_since: float | None = None

    @property
    def silent_s(self) -> float:
        """How long the oldest open question has waited; 0 when there is none.

        A controller that was itself held up, and asked nothing, must not take its runners for hung.
        """
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def ask(self) -> None:
        """Ask for the runner's status, unless it was just asked."""
        now = time.monotonic()
        if now - self._asked_at < (PAUSE_S if self._waiting_since is None else REPEAT_S):
            return

        try:
            self.socket.send(encode(StatusRequest(call_id=next(_call_ids))), zmq.NOBLOCK)
        except zmq.Again:
            logger.debug("a runner does not read its questions")
        self._asked_at = now
        self._waiting_since = self._waiting_since or now

    def read(self) -> RunnerStatus | None:
        """Return the newest status that has arrived, if any."""
        newest = None
        while True:
            try:
                reply = decode_reply(self.socket.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                return newest
            except msgspec.MsgspecError as err:
                logger.warning("a runner's status cannot be read: %s", err)
                continue

            if isinstance(reply, RunnerStatus):
                newest = reply
                self._waiting_since = None

    def close(self) -> None:
        """Close the socket."""
        self.socket.close(linger=0)
