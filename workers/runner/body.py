"""The runner itself: one socket, one loop, one life from LOADING over READY to DRAINING or FAILED."""

import logging
import os
import time
from collections.abc import Sequence

import msgspec
import zmq

from app.errors import Draining, GalleyError, ModelFailed, ModelLoading
from app.inference.messages import (
    DrainRequest,
    InferRequest,
    RunnerState,
    RunnerStatus,
    decode_request,
    encode,
)
from app.infra.redis import open_redis
from workers.runner.batcher import Batcher, refusal
from workers.runner.call_log import CallLog
from workers.runner.device import available_cores
from workers.runner.loading import Loading
from workers.runner.metrics import RunnerMetrics
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.image_decoding import silence_pillow
from workers.runner.plan import make_plan
from workers.runner.process import RunnerSpec
from workers.runner.row_queue import RowQueue
from workers.runner.sequence_store import SequenceStore
from workers.runner.sequences import SequenceRunner
from workers.runner.waker import Waker

logger = logging.getLogger(__name__)

# How long a runner whose load failed stays to say why.
FAILED_LINGER_S = 10.0
# How long a drained runner stays to refuse what callers sent before they saw the directory change.
DRAIN_GRACE_S = 0.25
# How long closing the socket may take to hand the last answers to the kernel.
FLUSH_MS = 2000
# Requests read in one go; then rows are computed before more is read.
READ_AT_ONCE = 256


class RunnerBody:
    """One runner. `run` blocks until it ends; `drain` may be called from anywhere, also from a signal handler."""

    def __init__(self, spec: RunnerSpec) -> None:
        self._spec = spec
        self._state = RunnerState.LOADING
        self._reason = ""
        self._ends_at = float("inf")
        self._stays_until = 0.0
        self._is_told_to_drain = False
        self._used_at = time.monotonic()
        self._waker = Waker()
        self._metrics = RunnerMetrics(spec.ref)
        self._call_log = CallLog(spec.ref)
        self._batcher: Batcher | None = None
        limits = Limits(max_image_pixels=spec.max_image_pixels)
        self._loading = Loading(spec.folder, digest=spec.digest, limits=limits, on_done=self._waker.wake)

    def drain(self) -> None:
        """Refuse new requests, answer those that are held, then end."""
        self._is_told_to_drain = True
        self._waker.wake()

    def hear_signals(self) -> None:
        """Let no signal wait for its handler while nothing else happens. For the main thread, before it runs."""
        self._waker.hear_signals()

    def join_loading(self) -> None:
        """Wait for the loading thread, which a runner that ends while it loads leaves behind."""
        self._loading.join()

    def run(self) -> int:
        """Bind, load, serve; return the exit code: 0 after a drain, 1 after a failed load."""
        silence_pillow()
        context = zmq.Context()
        self._socket = context.socket(zmq.ROUTER)
        # Answers are small and their number is bounded by the queue; at a limit ROUTER would drop them.
        self._socket.sndhwm = 0
        try:
            self._socket.bind(self._spec.address)
            self._loading.start()
            self._loop()
            # What has reached the socket by now is refused, not lost.
            self._read()
        finally:
            if self._batcher is not None:
                self._batcher.close()
            self._socket.close(linger=FLUSH_MS)
            context.term()
            self._waker.close()
        return 1 if self._state is RunnerState.FAILED else 0

    def _loop(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        while not self._is_finished():
            ready = dict(poller.poll(self._patience_ms()))
            if self._waker.fileno() in ready:
                self._waker.clear()
            if self._socket in ready:
                self._read()
            self._advance()
            if self._batcher is not None:
                self._batcher.pump()

    def _patience_ms(self) -> int | None:
        if self._batcher is not None and self._batcher.has_work:
            return 0
        now = time.monotonic()
        next_at = self._stays_until if self._stays_until > now else self._ends_at
        return None if next_at == float("inf") else max(0, int((next_at - now) * 1000) + 1)

    def _is_finished(self) -> bool:
        now = time.monotonic()
        if now >= self._ends_at:
            if self._batcher is not None:
                self._batcher.abandon()
            return True

        is_empty = self._batcher is None or self._batcher.queued_rows == 0
        return self._state is RunnerState.DRAINING and is_empty and now >= self._stays_until

    def _advance(self) -> None:
        """Change state if something has happened."""
        if self._is_told_to_drain and self._state is RunnerState.FAILED:
            self._ends_at = 0.0
        elif self._is_told_to_drain and self._state is not RunnerState.DRAINING:
            now = time.monotonic()
            self._ends_at = now + self._spec.drain_s
            self._stays_until = min(self._ends_at, now + DRAIN_GRACE_S)
            self._state = RunnerState.DRAINING
        elif self._state is RunnerState.LOADING and self._loading.is_done:
            self._end_loading()

    def _end_loading(self) -> None:
        if self._loading.proven is None:
            self._state = RunnerState.FAILED
            self._reason = self._loading.reason
            self._ends_at = time.monotonic() + FAILED_LINGER_S
            logger.error("%s failed to load: %s", self._spec.ref, self._reason)
            return

        batches, proof = self._loading.proven
        redis_client = open_redis(self._spec.state_redis_url, timeout_s=self._spec.redis_timeout_s)
        runner = SequenceRunner(batches, SequenceStore(redis_client))
        plan = make_plan(proof, threads=self._spec.threads, cores=available_cores())
        queue = RowQueue(self._spec.queue_rows)
        self._batcher = Batcher(runner, plan, queue, self._metrics, send=self._send, wake=self._waker.wake)
        self._state = RunnerState.READY
        logger.info("%s is ready after %.2f s: %s", self._spec.ref, self._loading.took_s, plan)

    def _read(self) -> None:
        for _ in range(READ_AT_ONCE):
            try:
                identity, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._handle(identity, frames)

    def _handle(self, identity: bytes, frames: Sequence[bytes]) -> None:
        try:
            request = decode_request(frames[0] if frames else b"")
        except msgspec.MsgspecError as err:
            logger.warning("a message that is no request was dropped: %s", err)
            return

        if isinstance(request, InferRequest):
            self._infer(identity, request, frames[1:])
            return
        if isinstance(request, DrainRequest):
            self._is_told_to_drain = True
            self._advance()
        self._send(identity, [encode(self._status(request.call_id))])

    def _infer(self, identity: bytes, request: InferRequest, rows: Sequence[bytes]) -> None:
        self._used_at = time.monotonic()
        self._call_log.begin(identity, request, len(rows))
        if self._state is RunnerState.READY and self._batcher is not None:
            self._batcher.submit(identity, request, rows)
            return

        error = self._why_not()
        self._metrics.refusal(error.code)
        self._send(identity, refusal(request.call_id, error))

    def _why_not(self) -> GalleyError:
        if self._state is RunnerState.DRAINING:
            return Draining("The runner is draining; send the request again.")
        if self._state is RunnerState.FAILED:
            return ModelFailed(f"The model could not be loaded: {self._reason}")

        return ModelLoading("The model is loading.")

    def _status(self, call_id: int) -> RunnerStatus:
        batcher = self._batcher
        return RunnerStatus(
            call_id=call_id,
            name=self._spec.ref.name,
            version=self._spec.ref.version,
            digest=self._spec.digest,
            state=self._state,
            pid=os.getpid(),
            reason=self._reason,
            queued_rows=batcher.queued_rows if batcher else 0,
            capacity_rows=self._spec.queue_rows,
            rows_per_s=1.0 / batcher.row_cost_s if batcher else 0.0,
            load_s=self._loading.took_s,
            idle_s=time.monotonic() - self._used_at,
        )

    def _send(self, identity: bytes, frames: list[bytes]) -> None:
        self._socket.send_multipart([identity, *frames])
        self._call_log.end(identity, frames[0])
