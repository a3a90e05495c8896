"""gunicorn's gevent worker, with an end that loses no request and waits for no idle connection."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.util import write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from deploy.joined_head import JoinedHead
from deploy.refusals import INTERNAL, refusal_of

BEAT_S = 1.0
STEP_S = 0.1
# How long a draining worker still takes connections, so that answers can say `Connection: close` to all who call;
# and how long a connection must have been silent before it is closed under its client.
GRACE_S = 1.0


@dataclass(frozen=True)
class ListenerName:
    """The address of a listener: all that a connection asks of it, and may still ask once the listener is closed."""

    address: Any

    def getsockname(self) -> Any:
        """Return the address."""
        return self.address


class DrainingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """On SIGTERM: serves on for a moment, takes every connection that waits, finishes every request, lets idle ones go.

    The plain worker resets the connections that wait in the listener's backlog, and counts an idle kept-alive
    connection as work until `graceful_timeout`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, socket.socket] = {}
        self._idle_since: dict[Any, float] = {}

    def run(self) -> None:
        """Serve until told to end, then drain."""
        pool = Pool(self.worker_connections)
        servers = [self._serve(listener, pool) for listener in self.sockets]
        while self.alive:
            self.notify()
            gevent.sleep(BEAT_S)
        gevent.sleep(GRACE_S)
        for server in servers:
            close_listener(server)
        self._drain(pool)

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection until it ends."""
        greenlet = gevent.getcurrent()
        self._clients[greenlet] = client
        try:
            super().handle(listener, client, addr)
        finally:
            del self._clients[greenlet]

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, addr: Any) -> None:
        """Answer one request, its head and body in one packet where they fit."""
        joined = JoinedHead(client)
        try:
            super().handle_request(listener_name, request, joined, addr)
        finally:
            joined.flush()

    def handle_error(self, _request: Any, client: socket.socket, addr: Any, error: BaseException) -> None:
        """Refuse bytes that are no request in the form of all other failures; gunicorn's own page echoes them."""
        refusal = refusal_of(error)
        if refusal is INTERNAL:
            self.log.error("Error handling a request", exc_info=error)
        else:
            self.log.info("%s from %s: %s", refusal.code, addr[0] if addr else "a socket", error)
        # The client may have gone, or closed its end while it was still sending.
        with suppress(OSError):
            write_nonblock(client, refusal.encode())

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Bound the wait for a connection's next request."""
        return self._waiting()

    def _serve(self, listener: Any, pool: Pool) -> StreamServer:
        listener.setblocking(1)
        name = ListenerName(listener.getsockname())
        server = StreamServer(listener, handle=partial(self.handle, name), spawn=pool)
        if self.cfg.workers > 1:
            # One at a time, or one worker would take all that wait while the others have nothing.
            server.max_accept = 1
        server.start()
        return server

    def _drain(self, pool: Pool) -> None:
        deadline = time.monotonic() + self.cfg.graceful_timeout
        # The pool, not the clients: a connection that was just taken is no client before its greenlet runs.
        while len(pool) and time.monotonic() < deadline:
            self.notify()
            self._close_idle()
            gevent.sleep(STEP_S)
        if len(pool):
            self.log.warning("%d connections did not end within %s s", len(pool), self.cfg.graceful_timeout)

    def _close_idle(self) -> None:
        silent_since = time.monotonic() - GRACE_S
        for greenlet, since in self._idle_since.items():
            if since < silent_since:
                end_when_read(self._clients[greenlet])

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        greenlet = gevent.getcurrent()
        self._idle_since[greenlet] = time.monotonic()
        try:
            with gevent.Timeout(self.cfg.keepalive, False):
                yield
        finally:
            del self._idle_since[greenlet]


def close_listener(server: StreamServer) -> None:
    """Take every connection that waits, then close: the kernel resets those that nobody took."""
    server.stop_accepting()
    while (connection := server.do_read()) is not None:
        server.do_handle(*connection)
    server.close()


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
