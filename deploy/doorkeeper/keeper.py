"""The course of a doorkeeper: one server serves, the next one takes over when it answers, the one before finishes."""

import logging
import os
import signal
import socket
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from gunicorn.systemd import sd_notify
from msgspec.structs import replace

from deploy.doorkeeper.door_record import DoorRecord, write_record
from deploy.doorkeeper.server import LIVE, READY, Server
from deploy.retirement import HANDOVER_S

logger = logging.getLogger(__name__)

STOP_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT})
WATCHED: Final = STOP_SIGNALS | {signal.SIGHUP, signal.SIGCHLD}
# How often a server that starts is asked whether it answers, and how long it may take.
STEP_S: Final = 0.1
# How often what the machine had no room for is tried again.
RETRY_S: Final = 1.0
START_LIMIT_S: Final = 120.0
# A server that ends sooner than this would only end again: whoever keeps this process up knows how to pause.
LEAST_LIFE_S: Final = 5.0


class Doorkeeper:
    """Holds the listener. Signals stay blocked and are taken one at a time, so nothing runs inside a handler."""

    def __init__(self, listener: socket.socket, command: Sequence[str], *, folder: Path, drain_s: float) -> None:
        self._listener = listener
        self._command = command
        self._folder = folder
        self._drain_s = drain_s
        self._numbers = count(1)
        self._serving: Server | None = None
        self._successor: Server | None = None
        self._leaving: list[Server] = []
        self._record = DoorRecord(doorkeeper=os.getpid())
        self._is_record_due = False
        self._is_server_due = False

    def run(self) -> int:
        """Keep a server behind the door until told to end; return the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._sweep()
        self._succeed()
        while True:
            number = self._next_signal()
            if number in STOP_SIGNALS:
                self._end_all()
                return 0
            if number is signal.SIGHUP:
                self._succeed()
            status = self._look()
            if status is not None:
                self._end_all()
                return status or 1

    def _sweep(self) -> None:
        """Remove the sockets that a doorkeeper left behind which was killed."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("door-*.sock"):
            path.unlink()

    def _succeed(self) -> None:
        """Start a server that is to take over; one that was to, and does not yet, goes if it is not the only one."""
        if self._serving is None:
            self._serving = self._successor
        elif self._successor is not None:
            self._leave(self._successor)
        self._successor = None
        self._start_server()

    def _start_server(self) -> None:
        """Start the next server. For want of room the one that serves stays; without one it is tried again."""
        self._is_server_due = False
        try:
            self._successor = Server(self._command, self._listener, self._folder / f"door-{next(self._numbers)}.sock")
        except OSError as err:
            logger.error("a new server cannot be started: %s", err)
            self._is_server_due = self._serving is None
            self._note_failure()
            return

        logger.info("started a server, pid %d", self._successor.pid)

    def _look(self) -> int | None:
        """Notice who has ended, and who answers; return the exit status of a server that nobody takes over from."""
        self._reap()
        self._make_up()
        self._look_at_successor()
        if self._serving is None or self._serving.exit_status is None:
            return None if self._serving or self._successor or self._is_server_due else 1

        return self._replace_dead(self._serving)

    def _make_up(self) -> None:
        """Do what the machine had no room for; connections wait meanwhile, and are not refused."""
        if self._is_record_due:
            self._write_record()
        if self._is_server_due:
            self._start_server()

    def _replace_dead(self, dead: Server) -> int | None:
        """Start another where a server died; connections wait meanwhile. Not where it would only die again."""
        status, age_s = dead.exit_status, dead.age_s
        logger.error("the server ended by itself, pid %d, status %s", dead.pid, status)
        dead.clear()
        self._serving = None
        if self._successor is not None:
            return None
        if age_s < LEAST_LIFE_S:
            return status or 1

        self._succeed()
        return None

    def _look_at_successor(self) -> None:
        successor = self._successor
        if successor is None:
            return
        if successor.exit_status is not None or successor.age_s > START_LIMIT_S:
            self._give_up(successor)
        elif self._is_fit(successor):
            self._hand_over(successor)

    def _is_fit(self, successor: Server) -> bool:
        """Say whether a successor serves as well as the one before: what neither can reach keeps nobody out."""
        if self._serving is None:
            return successor.says(LIVE) is True

        is_ready = successor.says(READY)
        if is_ready is False and self._serving.says(READY) is False:
            return successor.says(LIVE) is True

        return is_ready is True

    def _give_up(self, successor: Server) -> None:
        logger.error("the new server does not answer, pid %d, status %s", successor.pid, successor.exit_status)
        self._leave(successor)
        self._successor = None
        self._note_failure()

    def _hand_over(self, successor: Server) -> None:
        if self._serving is not None:
            # The first of the new workers answers; the others have so long to come up.
            self._leave(self._serving, after_s=min(HANDOVER_S, self._drain_s))
        self._serving, self._successor = successor, None
        logger.info("the server with pid %d serves", successor.pid)
        self._note(replace(self._record, serving=successor.pid, changed=self._record.changed + 1))
        # To systemd, if that started this process (Type=notify).
        sd_notify("READY=1", logger)

    def _leave(self, server: Server, *, after_s: float = 0.0) -> None:
        server.end(after_s=after_s)
        self._leaving.append(server)

    def _reap(self) -> None:
        for server in self._leaving:
            server.press(self._drain_s)
            if server.exit_status is not None:
                server.clear()
        self._leaving = [server for server in self._leaving if server.exit_status is None]

    def _end_all(self) -> None:
        """Let go of the port, and have everyone finish what they hold."""
        self._listener.close()
        for server in (self._serving, self._successor):
            if server is not None:
                self._leave(server)
        for server in self._leaving:
            server.end()
        while self._leaving:
            signal.sigtimedwait({signal.SIGCHLD}, STEP_S)
            self._reap()

    def _note(self, record: DoorRecord) -> None:
        self._record = record
        self._write_record()

    def _note_failure(self) -> None:
        self._note(replace(self._record, failed=self._record.failed + 1))

    def _write_record(self) -> None:
        """Write down what is noted, later if the disk is full: only who asked for the change waits for it."""
        try:
            write_record(self._folder, self._record)
        except OSError as err:
            if not self._is_record_due:
                logger.error("what changed cannot be written down yet: %s", err)
            self._is_record_due = True
            return

        self._is_record_due = False

    def _next_signal(self) -> signal.Signals | None:
        """Wait for a signal; not for long while somebody starts or ends, or something is to be made up for."""
        info = signal.sigtimedwait(WATCHED, self._patience_s())
        return None if info is None else signal.Signals(info.si_signo)

    def _patience_s(self) -> float:
        if self._successor is not None or self._leaving:
            return STEP_S

        return RETRY_S if self._is_server_due or self._is_record_due else 60.0
