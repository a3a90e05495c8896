"""The order in which a web worker's requests begin: after all that came are decided on, and client by client."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import gevent

# How long requests begin before the hub looks for new ones: what is to be refused waits so long, too.
SLICE_S: Final = 0.003
# And if what has come takes long to decide on, for this share of that: refusals must not take all the time there is.
_LEAST_SHARE: Final = 0.5
# How fast the measured time per turn follows the newest.
_FOLLOW: Final = 0.2
# How soon it is half forgotten while nobody waits: after one stall of the machine all bursts would be refused for ever.
_FORGET_S: Final = 0.25


class Turns:
    """Greenlets that wait to be let go: clients in turn, each one's in the order of arrival. For one gevent hub.

    A request that may stay waits here before it costs anything. So the hub first reads, and refuses, all that has come;
    how many wait says how far behind it is.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lines: dict[str, deque[Callable[[], Any]]] = {}
        # The clients of whom somebody waits, the next one first.
        self._clients: deque[str] = deque()
        self._length = 0
        self._timer: Any = None
        self._turn_s = 0.0
        # The slice before this one, if the line has not been empty since: when it began, and how many it let go.
        self._before: tuple[float, int] | None = None
        self._ended_at = 0.0

    def __len__(self) -> int:
        return self._length

    @property
    def wait_s(self) -> float:
        """How long the whole line will take, by how fast it went when it was last served in several slices."""
        return self._length * self._turn_s

    def wait_s_of(self, client_id: str) -> float:
        """Return how long the next one of a client will wait: before it come as many of each as of its own, at most."""
        own = self._lines.get(client_id, ())
        ahead = (len(own) + 1) * (len(self._lines) + (not own))
        return min(self._length, ahead) * self._turn_s

    def wait(self, client_id: str = "") -> None:
        """Block the calling greenlet until it is its turn."""
        hub = gevent.get_hub()
        begin = gevent.getcurrent().switch
        self._join(client_id, begin)
        if self._length == 1:
            self._call(hub)
        try:
            hub.switch()
        except BaseException:
            # Killed, or out of time: nobody may switch to it from here later.
            self._leave(client_id, begin)
            raise

    def _join(self, client_id: str, begin: Callable[[], Any]) -> None:
        if not self._length:
            self._turn_s *= 0.5 ** ((self._monotonic() - self._ended_at) / _FORGET_S)
        line = self._lines.get(client_id)
        if line is None:
            line = self._lines[client_id] = deque()
            self._clients.append(client_id)
        line.append(begin)
        self._length += 1

    def _leave(self, client_id: str, begin: Callable[[], Any]) -> None:
        line = self._lines.get(client_id, ())
        if begin not in line:
            return

        self._lines[client_id].remove(begin)
        self._length -= 1
        if not line:
            del self._lines[client_id]
            self._clients.remove(client_id)

    def _next(self) -> Callable[[], Any]:
        """Take the first of the client whose turn it is, which goes behind the other clients."""
        client_id = self._clients.popleft()
        line = self._lines[client_id]
        begin = line.popleft()
        self._length -= 1
        if line:
            self._clients.append(client_id)
        else:
            del self._lines[client_id]
        return begin

    def _call(self, hub: Any) -> None:
        """Have the line served once the hub has read what has come."""
        if self._timer is None:
            # After the sockets, which have priority 0; a callback would run before the hub looks at them.
            self._timer = hub.loop.timer(0.0, priority=hub.loop.MINPRI)
        self._timer.start(self._serve, hub)

    def _serve(self, hub: Any) -> None:
        began_at = self._monotonic()
        self._learn(began_at)
        since_s = 0.0 if self._before is None else began_at - self._ended_at
        begun = 0
        try:
            begun = self._begin(began_at + max(SLICE_S, _LEAST_SHARE * since_s))
        finally:
            # Whatever one of them raised, the others are to begin.
            self._ended_at = self._monotonic()
            self._before = (began_at, begun) if self._length else None
            if self._length:
                self._call(hub)

    def _begin(self, ends_at: float) -> int:
        """Let greenlets go until that moment, at least one; return how many."""
        begun = 0
        for _ in range(self._length):
            # The one before may have killed others in the line.
            if not self._length:
                break
            self._next()()
            begun += 1
            if self._monotonic() >= ends_at:
                break
        return begun

    def _learn(self, now: float) -> None:
        """Learn how long a turn takes, with all else that the hub does between two slices."""
        if self._before is not None:
            began_at, begun = self._before
            self._turn_s += _FOLLOW * ((now - began_at) / max(1, begun) - self._turn_s)
