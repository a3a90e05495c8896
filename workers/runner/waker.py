"""A way to end another thread's poll: from a thread of the crew, from the loader, from a signal handler."""

import signal
import socket


class Waker:
    """A pair of sockets; `wake` makes the reading end readable until `clear`."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._hears_signals = False

    def hear_signals(self) -> None:
        """Have every signal that the process handles wake, too. For the main thread, which is the one that polls.

        A handler runs between two lines of Python: one whose signal comes just before the poll begins, or to another
        thread, would wait for the poll to end by itself.
        """
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._hears_signals = True

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Make the descriptor readable. Never blocks; safe in signal handlers and after `close`."""
        try:
            self._writer.send(b"\0")
        except OSError:
            # Full means that it is readable already; closed means that nobody polls any more.
            return

    def clear(self) -> None:
        """Swallow all wakes so far."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close both ends."""
        if self._hears_signals:
            signal.set_wakeup_fd(-1)
        self._writer.close()
        self._reader.close()
