"""A runner on a thread of the test, and a caller that speaks to it as the web tier does."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq
from torch import nn

from app.inference.messages import (
    Form,
    InferReply,
    InferRequest,
    Lane,
    Refusal,
    RunnerReply,
    RunnerState,
    RunnerStatus,
    StatusRequest,
    decode_reply,
    encode,
)
from app.scenarios.images import ImageAnswer, decode_answer
from tests.factories.models import publish_model
from tests.factories.tensors import Body
from tests.factories.versions import make_store
from tests.factories.waiting import wait_until
from workers.runner.body import RunnerBody
from workers.runner.process import RunnerSpec

PATIENCE_S = 20.0


def make_spec(folder: Path, socket_folder: Path, module: nn.Module | None = None, **changes: Any) -> RunnerSpec:
    """Return the spec of a runner of a tiny model that is published under `folder`."""
    parts = ("name", "manifest", "samples", "assets")
    draft = {part: changes.pop(part) for part in parts if part in changes}
    store = make_store(folder)
    ref = publish_model(store, folder, module, **draft)
    fields: dict[str, Any] = {
        "ref": ref,
        "digest": store.digest(ref),
        "folder": store.local_folder(ref),
        "address": f"ipc://{socket_folder}/{ref.name}.sock",
        "queue_rows": 512,
        "threads": 2,
        "max_image_pixels": 1_000_000,
        "drain_s": 10.0,
        "state_redis_url": f"unix://{folder}/no-redis.sock",
        "redis_timeout_s": 1.0,
    }
    return RunnerSpec(**{**fields, **changes})


class Caller:
    """A DEALER socket that asks a runner and collects its answers."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", address: str) -> None:
        self._ids = itertools.count(1)
        self._socket = context.socket(zmq.DEALER)
        self._socket.connect(address)

    def send(
        self,
        rows: Sequence[bytes],
        *,
        timeout_s: float = PATIENCE_S,
        lane: Lane = Lane.INTERACTIVE,
        form: Form = Form.SCENARIO,
        **parameters: Any,
    ) -> int:
        """Send rows; return the call's id."""
        call_id = next(self._ids)
        deadline = time.monotonic() + timeout_s
        request = InferRequest(call_id=call_id, deadline=deadline, lane=lane, form=form, parameters=parameters)
        self.send_raw(request, rows)
        return call_id

    def send_tensors(self, body: Body) -> int:
        """Send a v2 request as the web tier does; return the call's id."""
        return self.send([body.data], form=Form.TENSORS, json_bytes=body.json_bytes)

    def send_raw(self, request: Any, rows: Sequence[bytes] = ()) -> None:
        """Send any message."""
        self._socket.send_multipart([encode(request), *rows])

    def receive(self) -> tuple[RunnerReply, list[bytes]]:
        """Return the next answer and its row frames.

        :raises TimeoutError: when none comes.
        """
        if not self._socket.poll(int(PATIENCE_S * 1000)):
            raise TimeoutError("The runner did not answer.")

        header, *rows = self._socket.recv_multipart()
        return decode_reply(header), rows

    def ask(self, rows: Sequence[bytes], **options: Any) -> tuple[RunnerReply, list[bytes]]:
        """Send rows and return their answer."""
        self.send(rows, **options)
        return self.receive()

    def classify(self, rows: Sequence[bytes], **options: Any) -> tuple[InferReply, list[ImageAnswer | None]]:
        """Send pictures; return the reply and one answer per picture, None where it failed."""
        reply, frames = self.ask(rows, **options)
        assert isinstance(reply, InferReply), reply
        return reply, [decode_answer(frame) if frame else None for frame in frames]

    def refused(self, rows: Sequence[bytes], **options: Any) -> Refusal:
        """Send rows that are to be refused; return why."""
        reply, _frames = self.ask(rows, **options)
        assert isinstance(reply, Refusal), reply
        return reply

    def status(self) -> RunnerStatus:
        """Return how the runner is."""
        self.send_raw(StatusRequest(call_id=0))
        reply, _frames = self.receive()
        assert isinstance(reply, RunnerStatus), reply
        return reply

    def wait_for(self, state: RunnerState) -> RunnerStatus:
        """Return the status once the runner is in `state`."""
        wait_until(lambda: self.status().state is state, timeout_s=PATIENCE_S)
        return self.status()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close(linger=0)


class RunningRunner:
    """A runner's body on a thread; `exit_code` is there once it has ended."""

    def __init__(self, spec: RunnerSpec) -> None:
        self.spec = spec
        self.exit_code: int | None = None
        self.body = RunnerBody(spec)
        self._thread = threading.Thread(target=self._run, name="runner-under-test")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._callers: list[Caller] = []

    def caller(self) -> Caller:
        """Return a new caller; it is closed with the runner."""
        caller = Caller(self._context, self.spec.address)
        self._callers.append(caller)
        return caller

    def start(self) -> Caller:
        """Start the runner; return a caller."""
        self._thread.start()
        return self.caller()

    def join(self) -> None:
        """Wait until the runner has ended by itself."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """Drain the runner and close everything."""
        self.body.drain()
        self.join()
        self.body.join_loading()
        for caller in self._callers:
            caller.close()
        self._context.term()

    def _run(self) -> None:
        self.exit_code = self.body.run()


@contextmanager
def running(spec: RunnerSpec) -> Iterator[tuple[RunningRunner, Caller]]:
    """Run a runner for the time of a test; it is not waited for to be READY."""
    runner = RunningRunner(spec)
    caller = runner.start()
    try:
        yield runner, caller
    finally:
        runner.close()
