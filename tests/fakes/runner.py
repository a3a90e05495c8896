"""A runner's socket without a runner: the test says what is answered."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import zmq

from app.inference.directory import RunnerRecord
from app.inference.messages import InferReply, InferRequest, RunnerReply, RunnerRequest, RunnerState, encode
from app.inference.messages import decode_request as decode

Answer = tuple[RunnerReply, list[bytes]] | None


def reverse_rows(request: RunnerRequest, rows: Sequence[bytes]) -> Answer:
    """Answer each row with its bytes reversed."""
    assert isinstance(request, InferRequest)
    return InferReply(call_id=request.call_id, queue_s=0.25, compute_s=0.5), [row[::-1] for row in rows]


class FakeRunner:
    """A ROUTER socket on a thread. `answer` returns the reply to a request, or None to leave it open."""

    def __init__(self, address: str, answer: Callable[..., Answer] = reverse_rows) -> None:
        self.address = address
        self.answer = answer
        self.requests: list[RunnerRequest] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 1000
        self._stop = self._context.socket(zmq.PAIR)
        self._stop.bind("inproc://stop")
        self._socket.bind(address)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def record(self, **changes: Any) -> RunnerRecord:
        """Return what the directory says of it: READY, version 1 of `digits`."""
        fields: dict[str, Any] = {"name": "digits", "version": 1, "digest": "0" * 64, "state": RunnerState.READY}
        return RunnerRecord(**{**fields, "address": self.address, "pid": 1, "host": "here", **changes})

    def close(self) -> None:
        """End it; what it has not answered is lost."""
        if not self._thread.is_alive():
            return

        self._stop.send(b"")
        self._thread.join()
        self._stop.close()
        self._context.term()

    def _serve(self) -> None:
        stop = self._context.socket(zmq.PAIR)
        stop.connect("inproc://stop")
        poller = zmq.Poller()
        for each in (stop, self._socket):
            poller.register(each, zmq.POLLIN)
        while stop not in dict(poller.poll()):
            self._answer_one()
        stop.close()
        self._socket.close()

    def _answer_one(self) -> None:
        with suppress(zmq.Again):
            identity, header, *rows = self._socket.recv_multipart(zmq.NOBLOCK)
            request = decode(header)
            self.requests.append(request)
            answer = self.answer(request, rows)
            if answer is not None:
                self._socket.send_multipart([identity, encode(answer[0]), *answer[1]])
