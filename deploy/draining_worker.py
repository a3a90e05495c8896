"""gunicorn's gevent worker, with an end that loses no request and waits for no idle connection."""

import select
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import SocketUnreader
from gunicorn.util import close, write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from app.infra.log_context import log_fields
from app.web.fast_path.lane import FastPath, Reply, fast_path_of
from app.web.followed_answers import followed_answers_of
from app.web.sockets.open_sockets import sockets_of
from deploy.joined_head import JoinedHead
from deploy.plain_requests import encode_answer, read_plain
from deploy.refusals import INTERNAL, refusal_of
from deploy.retirement import CLOSING_S, Retirement

BEAT_S = 1.0
STEP_S = 0.1
# How long a draining worker still takes connections, so that answers can say `Connection: close` to all who call;
# and how long a connection must have been silent before it is closed under its client.
GRACE_S = 1.0
# What is read of a connection at once: the head and body of a usual request.
RECEIVED_BYTES = 64 * 1024


@dataclass(frozen=True)
class ListenerName:
    """The address of a listener: all that a connection asks of it, and may still ask once the listener is closed."""

    address: Any

    def getsockname(self) -> Any:
        """Return the address."""
        return self.address


class DrainingWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """On SIGTERM: serves on for a moment, takes every connection that waits, finishes every request, lets idle ones go.

    Streams of events end at once, and WebSockets once they have answered what they took in: nothing of them is lost,
    and they might go on for hours.

    The plain worker resets the connections that wait in the listener's backlog, and counts an idle kept-alive
    connection as work until `graceful_timeout`; this one drains CLOSING_S less than that.
    """

    alive: bool
    max_requests: int
    ppid: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clients: dict[Any, socket.socket] = {}
        self._idle_since: dict[Any, float] = {}
        self._lane: FastPath | None = None
        # gunicorn's own way would end this worker at once, and start another only when it has ended.
        self._retirement = Retirement(most_requests=self.max_requests, master_pid=self.ppid)
        self.max_requests = sys.maxsize

    def notify(self) -> None:
        """Tell the master that this worker lives. One that has none any more drains, see Retirement.

        NOTE: gunicorn's own gevent worker exits here when its master died, with all requests that it holds.
        """
        super(GeventWorker, self).notify()

    def run(self) -> None:
        """Serve until told to end, until enough was served, or until the master died, then drain."""
        self._lane = fast_path_of(self.wsgi)
        pool = Pool(self.worker_connections)
        servers = [self._serve(listener, pool) for listener in self.sockets]
        while self.alive and not self._retirement.is_due(self.nr):
            self.notify()
            self._close_idle(self.cfg.keepalive)
            gevent.sleep(BEAT_S)
        # Answers say `Connection: close` from now on.
        self.alive = False
        # The master kills those that live longer than graceful_timeout, counted from a signal up to BEAT_S ago.
        drain_s = max(0.0, self.cfg.graceful_timeout - CLOSING_S)
        deadline = time.monotonic() + drain_s
        followed_answers_of(self.wsgi).end()
        sockets_of(self.wsgi).drain()
        gevent.sleep(GRACE_S)
        for server in servers:
            close_listener(server)
        self._drain(pool, deadline)
        if len(pool):
            self.log.warning("%d connections did not end within %s s", len(pool), drain_s)

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        """Serve one connection until it ends."""
        greenlet = gevent.getcurrent()
        self._clients[greenlet] = client
        try:
            begun = self._begin_plain(client)
            if begun:
                super().handle(listener, BegunConnection(client, begun), addr)
        finally:
            close(client)
            del self._clients[greenlet]

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, addr: Any) -> None:
        """Answer one request, its head and body in one packet where they fit."""
        joined = JoinedHead(client)
        try:
            super().handle_request(listener_name, request, joined, addr)
        finally:
            joined.flush()
        if self._lane is not None and is_read(request):
            self._serve_plain(self._lane, request.unreader, client)

    def handle_error(self, _request: Any, client: socket.socket, addr: Any, error: BaseException) -> None:
        """Refuse bytes that are no request in the form of all other failures; gunicorn's own page echoes them."""
        refusal, request_id = refusal_of(error), uuid.uuid4().hex
        with log_fields(request_id=request_id, code=refusal.code):
            if refusal is INTERNAL:
                self.log.error("Error handling a request", exc_info=error)
            else:
                self.log.info("%s from %s: %s", refusal.code, addr[0] if addr else "a socket", error)
        # The client may have gone, or closed its end while it was still sending.
        with suppress(OSError):
            write_nonblock(client, refusal.encode(request_id))

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Bound the wait for a connection's next request."""
        return self._waiting()

    def _begin_plain(self, client: socket.socket) -> bytes:
        """Answer plain requests from the first on; return what came instead of one, nothing if the connection ended."""
        unreader = SocketUnreader(client)
        try:
            if self._lane is None:
                return self._receive(client)

            self._serve_plain(self._lane, unreader, client)
        except (StopIteration, OSError):
            return b""

        begun: bytes = unreader.take_buffered()
        return begun

    def _serve_plain(self, lane: FastPath, unreader: Any, client: socket.socket) -> None:
        """Answer what follows on the connection, for as long as it is plain; leave the rest to gunicorn.

        :raises StopIteration: when the connection ends, or stays silent for too long.
        """
        data = unreader.take_buffered()
        while True:
            data = data or self._receive(client)
            request = read_plain(data) if self.alive else None
            reply = lane.reply(request.environ) if request else None
            if request is None or reply is None:
                unreader.unread(data)
                return

            send_reply(client, reply)
            data = data[request.size_bytes :]
            self.nr += 1
            if not reply.is_in_turn:
                # Asking again and again it would never give the hub away.
                gevent.sleep(0)

    def _receive(self, client: socket.socket) -> bytes:
        with self._waiting():
            data = client.recv(RECEIVED_BYTES)
        if not data:
            raise StopIteration

        return data

    def _serve(self, listener: Any, pool: Pool) -> StreamServer:
        listener.setblocking(1)
        name = ListenerName(listener.getsockname())
        server = StreamServer(listener, handle=partial(self.handle, name), spawn=pool)
        if self.cfg.workers > 1:
            # One at a time, or one worker would take all that wait while the others have nothing.
            server.max_accept = 1
        server.start()
        return server

    def _drain(self, pool: Pool, deadline: float) -> None:
        # The pool, not the clients: a connection that was just taken is no client before its greenlet runs.
        while len(pool) and time.monotonic() < deadline:
            self.notify()
            self._close_idle(GRACE_S)
            gevent.sleep(STEP_S)

    def _close_idle(self, silent_s: float) -> None:
        """End the connections that have sent no request for so long."""
        silent_since = time.monotonic() - silent_s
        for greenlet, since in self._idle_since.items():
            if since < silent_since:
                end_when_read(self._clients[greenlet])

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        greenlet = gevent.getcurrent()
        self._idle_since[greenlet] = time.monotonic()
        try:
            # No timeout of its own for each: to set one costs as much as to read the request.
            yield
        finally:
            del self._idle_since[greenlet]


class BegunConnection:
    """A connection of which some bytes were read; they are received again, before what is still to come."""

    def __init__(self, sock: socket.socket, begun: bytes) -> None:
        self._sock = sock
        self._begun = begun

    def __getattr__(self, name: str) -> Any:
        """Return what the socket itself has."""
        return getattr(self._sock, name)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return up to `size` bytes."""
        if not self._begun:
            return self._sock.recv(size, flags)

        begun, self._begun = self._begun[:size], self._begun[size:]
        return begun


def is_read(request: Any) -> bool:
    """Say whether the request's body was read to its end, so that what follows is the next request."""
    reader = request.body.reader
    return isinstance(reader, LengthReader) and reader.length == 0


def send_reply(client: socket.socket, reply: Reply) -> None:
    """Send an answer, head and first piece in one packet where they fit."""
    pieces = iter(reply.pieces())
    client.sendall(encode_answer(reply.status, reply.headers, next(pieces)))
    for piece in pieces:
        client.sendall(piece)


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

    # NOTE: not close(): whatever slips in between the two lines can still be read, and is answered. Nor gevent's own
    # shutdown(), which throws into the reader; the kernel's wakes it. The client may have gone meanwhile.
    with suppress(OSError):
        getattr(client, "_sock", client).shutdown(socket.SHUT_RD)


def is_readable(client: socket.socket) -> bool:
    """Say whether bytes wait on the socket, without blocking and without giving the hub away."""
    poller = get_original("select", "poll")()
    poller.register(client.fileno(), select.POLLIN)
    return bool(poller.poll(0))
