"""A descriptor that ends the controller's wait: other threads and signals ring it."""

import signal
import socket
from contextlib import suppress


class WakeBell:
    """A socket pair. `ring` may be called from any thread and any signal handler."""

    def __init__(self) -> None:
        self._inside, self._outside = socket.socketpair()
        self._inside.setblocking(False)
        self._outside.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._inside.fileno()

    def ring(self) -> None:
        """Make the descriptor readable."""
        # Full means that it is readable already.
        with suppress(BlockingIOError):
            self._outside.send(b"\0")

    def ring_on_signals(self) -> None:
        """Have the interpreter ring on every signal that has a handler. Main thread only."""
        signal.set_wakeup_fd(self._outside.fileno(), warn_on_full_buffer=False)

    def silence(self) -> None:
        """Make the descriptor unreadable again."""
        with suppress(BlockingIOError):
            while self._inside.recv(4096):
                continue

    def close(self) -> None:
        """Close both ends."""
        self._inside.close()
        self._outside.close()
