"""A well-behaved session, to be had beside those that are not."""

import threading
import time
from typing import Any

from tests.factories.payments import MEMBERS
from tests.factories.stream_socket import StreamSocket


class Neighbour(threading.Thread):
    """One payment after the other, for as long as it runs."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__()
        self._port, self._token = port, token
        self._is_over = threading.Event()
        self.answered = 0
        self.longest_gap_s = 0.0
        self.wrong: list[Any] = []

    def run(self) -> None:
        try:
            with StreamSocket(self._port) as socket:
                socket.greet(self._token)
                while not self._is_over.wait(0.01):
                    self._ask(socket)
        except Exception as err:  # noqa: BLE001 - told by the test
            self.wrong.append(err)

    def end(self) -> None:
        """Let it go."""
        self._is_over.set()
        self.join()

    def _ask(self, socket: StreamSocket) -> None:
        event_id, asked_at = f"n-{self.answered}", time.monotonic()
        answer = socket.ask({**MEMBERS, "account_id": "neighbour", "event_id": event_id})
        self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - asked_at)
        self.answered += 1
        if (answer.get("event_id"), answer.get("seq")) != (event_id, socket.seq):
            self.wrong.append(answer)
