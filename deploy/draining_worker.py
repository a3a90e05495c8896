"""gunicorn's gevent worker, which does not wait for idle connections when it is told to end."""

import select
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import gevent
from gevent.monkey import get_original
from gunicorn.workers.ggevent import GeventWorker


class DrainingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """On SIGTERM: finishes every request it has taken, then closes kept-alive connections that carry none.

    The plain worker counts an idle connection as work, so each stop would last as long as a client or proxy keeps
    one open, up to `graceful_timeout`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, socket.socket] = {}
        self._idle: set[Any] = set()

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection until it ends."""
        greenlet = gevent.getcurrent()
        self._clients[greenlet] = client
        try:
            super().handle(listener, client, addr)
        finally:
            del self._clients[greenlet]

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Bound the wait for a connection's next request."""
        return self._waiting()

    def notify(self) -> None:
        """Beat for the arbiter, once a second; while draining, let idle connections go."""
        super().notify()
        if not self.alive:
            self._close_idle()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        greenlet = gevent.getcurrent()
        self._idle.add(greenlet)
        try:
            with gevent.Timeout(self.cfg.keepalive, False):
                yield
        finally:
            self._idle.discard(greenlet)

    def _close_idle(self) -> None:
        for greenlet in self._idle:
            end_when_read(self._clients[greenlet])


def end_when_read(client: socket.socket) -> None:
    """Let the reader of an idle connection see its end; a request that has begun to arrive is left alone."""
    if is_readable(client):
        return

    # NOTE: not close(): whatever slips in between the two lines can still be read, and is answered.
    client.shutdown(socket.SHUT_RD)


def is_readable(client: socket.socket) -> bool:
    """Say whether bytes wait on the socket, without blocking and without giving the hub away."""
    poller = get_original("select", "poll")()
    poller.register(client.fileno(), select.POLLIN)
    return bool(poller.poll(0))
