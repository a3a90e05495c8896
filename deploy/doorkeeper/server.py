"""One gunicorn behind the door: started with the listener, asked by a socket of its own, ended in time."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

from deploy.retirement import CLOSING_S

LIVE = "/health/live"
READY = "/health/ready"
QUESTION = "GET {path} HTTP/1.1\r\nHost: doorkeeper\r\nConnection: close\r\n\r\n"
GOOD_ANSWER = b"HTTP/1.1 200 "
ASKED_WITHIN_S = 0.5
# What a server needs beyond the time in which it finishes requests: what its workers need, and a moment for itself.
END_MARGIN_S = CLOSING_S + 1


class Server:
    """A server that shares the listener, and listens on `side_door` besides: whoever answers there is this one.

    :raises OSError: when the machine has no room for another socket file or process.
    """

    def __init__(self, command: Sequence[str], listener: socket.socket, side_door: Path) -> None:
        self._side_door = side_door
        self.started_at = time.monotonic()
        self._ending_at = inf
        self._is_told = False
        self._questions: dict[str, socket.socket] = {}
        # NOTE: made here, since a gunicorn that is handed one listener opens no others.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as side_listener:
            side_listener.bind(str(side_door))
            side_listener.listen()
            try:
                self._process = _start(command, [listener.fileno(), side_listener.fileno()])
            except OSError:
                side_door.unlink()
                raise

    @property
    def pid(self) -> int:
        """Its first process."""
        return self._process.pid

    @property
    def age_s(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self.started_at

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it lives."""
        return self._process.poll()

    def says(self, path: str) -> bool | None:
        """Say whether it answered well; None before that. It is asked once, and the question waits until it is up."""
        try:
            if path not in self._questions:
                self._questions[path] = _ask(self._side_door, path)
            answer = self._questions[path].recv(len(GOOD_ANSWER))
        except BlockingIOError:
            return None
        except OSError:
            answer = b""
        self._drop_question(path)
        return answer == GOOD_ANSWER

    def end(self, *, after_s: float = 0.0) -> None:
        """Have it finish what it holds and end, now or some time later, whichever was asked for sooner."""
        self._ending_at = min(self._ending_at, time.monotonic() + after_s)
        self._tell_if_due()

    def press(self, drain_s: float) -> None:
        """Tell it to end when its time has come; kill it once it had `drain_s` and more for it."""
        self._tell_if_due()
        if time.monotonic() - self._ending_at > drain_s + END_MARGIN_S:
            self._process.kill()

    def clear(self) -> None:
        """Collect the ended process, and remove the socket that a killed one leaves."""
        for path in list(self._questions):
            self._drop_question(path)
        self._process.wait()
        self._side_door.unlink(missing_ok=True)

    def _tell_if_due(self) -> None:
        if not self._is_told and time.monotonic() >= self._ending_at:
            self._is_told = True
            self._process.terminate()

    def _drop_question(self, path: str) -> None:
        question = self._questions.pop(path, None)
        if question is not None:
            question.close()


def _ask(side_door: Path, path: str) -> socket.socket:
    """Put the question; the answer can be received without blocking."""
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    asking.settimeout(ASKED_WITHIN_S)
    try:
        asking.connect(str(side_door))
        asking.sendall(QUESTION.format(path=path).encode())
    except OSError:
        asking.close()
        raise

    asking.setblocking(False)
    return asking


def _start(command: Sequence[str], listeners: list[int]) -> "subprocess.Popen[bytes]":
    binds = [word for descriptor in listeners for word in ("--bind", f"fd://{descriptor}")]
    return subprocess.Popen(  # noqa: S603 - the command is the caller's own
        # Of the same process group as this one: who kills that leaves nothing behind.
        [sys.executable, "-m", "deploy.tether", *command, *binds],
        stdin=subprocess.DEVNULL,
        pass_fds=listeners,
        # This process has one thread, which is what makes preexec_fn safe.
        preexec_fn=_hear_signals,  # noqa: PLW1509
    )


def _hear_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
