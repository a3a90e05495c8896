"""The way from a web worker to a runner: choose the least busy one, ask it, fail over once from a dead one."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import zmq.green as zmq
from msgspec import Struct, field

from app.errors import (
    DeadlineExceeded,
    Draining,
    ModelFailed,
    ModelLoading,
    QueueFull,
    RunnerLost,
    ShareExceeded,
)
from app.inference.connection import RunnerConnection
from app.inference.directory import RunnerRecord
from app.inference.directory_reader import DirectoryReader
from app.inference.load_estimate import LoadEstimate
from app.inference.messages import Form, InferReply, InferRequest, Lane, Refusal, Row, RowFailure, SequenceCall, Traced
from app.inference.outlook import Outlook
from app.inference.refusals import error_of
from app.infra.metrics import REFUSED
from model_store.model_ref import ModelRef

# Callers that may wait for versions to load, and for one of them; those beyond are told to come back. A popular
# version that takes long to load must not take all places.
MAX_WAITERS = 256
MAX_WAITERS_EACH = 128
FAILED_RETRY_S = 5.0


class InferAnswer(Struct, frozen=True, kw_only=True):
    """One entry per row, in the order asked; times in seconds; and who answered. Large tensors are views."""

    rows: list[bytes | memoryview | RowFailure]
    queue_s: float
    compute_s: float
    runner: RunnerRecord | None = None
    """None where a Celery worker answered."""


class CallOptions(TypedDict, total=False):
    """What a call may say besides its rows: the pipeline's parameters, what the rows are, their priority, who asks.

    And, of rows that go on with sequences, which; and of those whose callers trace them, by which requests they came.
    """

    parameters: dict[str, Any]
    form: Form
    lane: Lane
    request_id: str
    client_id: str
    sequences: Sequence[SequenceCall]
    traced: Sequence[Traced]


class Call(Struct, frozen=True, kw_only=True):
    """One request on its way, whichever runner ends up answering it."""

    ref: ModelRef
    rows: Sequence[Row]
    deadline: float
    parameters: dict[str, Any] = field(default_factory=dict)
    form: Form = Form.SCENARIO
    lane: Lane = Lane.INTERACTIVE
    request_id: str = ""
    client_id: str = ""
    sequences: Sequence[SequenceCall] = ()
    traced: Sequence[Traced] = ()
    limit_s: float = 0.0


class InferenceClient:
    """Sends rows to runners. One per process, made after fork, used by the greenlets of one gevent hub."""

    def __init__(self, directory: DirectoryReader, estimate: LoadEstimate | None = None) -> None:
        self._directory = directory
        self._estimate = estimate or LoadEstimate(directory)
        self._context = zmq.Context()
        self._connections: dict[str, RunnerConnection] = {}
        self._pruned_for = directory.snapshot
        self._call_ids = itertools.count(1)
        self._waiters: Counter[ModelRef] = Counter()
        self._is_closed = False

    @property
    def connection_count(self) -> int:
        """How many runners this process is connected to."""
        return len(self._connections)

    def infer(
        self, ref: ModelRef, rows: Sequence[Row], *, deadline: float, **options: Unpack[CallOptions]
    ) -> InferAnswer:
        """Return one answer per row. Blocks the calling greenlet until `deadline` (monotonic) at most.

        :raises QueueFull: when the runner has no room, or cannot make the deadline.
        :raises ShareExceeded: when that is the client's own doing, and others are served.
        :raises ModelLoading: when no runner became ready in time.
        :raises RunnerLost: when the runner died with the rows and no other one is ready.
        :raises Draining: when the runner is about to end and no other one became ready in time.
        :raises DeadlineExceeded: when the rows were not answered in time.
        :raises ModelFailed: when the model raised or answered nonsense.
        """
        limit_s = max(0.0, round(deadline - time.monotonic(), 2))
        call = Call(ref=ref, rows=rows, deadline=deadline, limit_s=limit_s, **options)
        self._prune()
        return self._ask_twice(call)

    def close(self) -> None:
        """Close all sockets; calls still waiting raise `RunnerLost`, and no other runner is asked for them."""
        self._is_closed = True
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._context.destroy(linger=0)

    def _ask_twice(self, call: Call) -> InferAnswer:
        runner = self._choose(call)
        try:
            return self._ask(call, runner)
        except (RunnerLost, Draining) as err:
            if self._is_closed or not self._may_ask_again(err, call, runner):
                raise
        return self._ask(call, self._choose(call))

    def _may_ask_again(self, err: RunnerLost | Draining, call: Call, runner: RunnerRecord) -> bool:
        if isinstance(err, Draining):
            return True

        # NOTE: rows that a runner held when it died may be what killed it. They get one other runner that is READY
        # already, but nobody is made to wait for them. Rows that never left may wait.
        return not self._connection(runner).has_connected or bool(self._ready(call.ref))

    def _choose(self, call: Call) -> RunnerRecord:
        runners = self._ready(call.ref) or self._wait_ready(call)
        if len(runners) == 1:
            return runners[0]

        now = time.monotonic()
        return min(runners, key=lambda runner: self._waiting_rows(runner, now))

    def _ask(self, call: Call, runner: RunnerRecord) -> InferAnswer:
        connection = self._connection(runner)
        _check_outlook(call, runner, connection.outlook)
        request = InferRequest(
            call_id=next(self._call_ids),
            deadline=call.deadline,
            parameters=call.parameters,
            form=call.form,
            lane=call.lane,
            request_id=call.request_id,
            client_id=call.client_id,
            sequences=list(call.sequences),
            traced=list(call.traced),
        )
        reply = connection.call(request, call.rows)
        if isinstance(reply.header, Refusal):
            connection.is_draining |= reply.header.code == Draining.code
            raise error_of(reply.header, call.limit_s)

        return _answer(reply.header, reply.rows, call, runner)

    def _ready(self, ref: ModelRef) -> list[RunnerRecord]:
        return self._directory.ready(ref, excluding=self.unusable())

    def unusable(self) -> set[str]:
        """Return the addresses not to be tried although the directory may still call them READY."""
        return {address for address, connection in self._connections.items() if not connection.is_usable}

    def _wait_ready(self, call: Call) -> list[RunnerRecord]:
        self._directory.want(call.ref)
        if self._directory.has_failed(call.ref) or not self._may_wait(call.ref):
            raise self._loading(call.ref)

        self._waiters[call.ref] += 1
        try:
            runners = self._directory.wait_ready(call.ref, call.deadline, excluding=self.unusable())
        finally:
            self._waiters[call.ref] -= 1
        if not runners:
            raise self._loading(call.ref)

        return runners

    def _may_wait(self, ref: ModelRef) -> bool:
        return self._waiters[ref] < MAX_WAITERS_EACH and self._waiters.total() < MAX_WAITERS

    def _loading(self, ref: ModelRef) -> ModelLoading:
        if self._directory.has_failed(ref):
            detail = f"The last attempt to load {ref} failed; it will be tried again."
            return ModelLoading(detail, retry_after_s=FAILED_RETRY_S)

        return self._estimate.refusal(ref)

    def _connection(self, runner: RunnerRecord) -> RunnerConnection:
        connection = self._connections.get(runner.address)
        if connection is None:
            connection = self._connections[runner.address] = RunnerConnection(self._context, runner.address)
        return connection

    def _waiting_rows(self, runner: RunnerRecord, now: float) -> int:
        connection = self._connections.get(runner.address)
        return runner.queued_rows if connection is None else connection.outlook.waiting_rows(runner, now)

    def _prune(self) -> None:
        """Close the connections to runners that the directory no longer knows, once per snapshot."""
        snapshot = self._directory.snapshot
        if snapshot is self._pruned_for:
            return

        self._pruned_for = snapshot
        known = {runner.address for runner in snapshot.runners}
        for address in [address for address in self._connections if address not in known]:
            if self._connections[address].rows_in_flight == 0:
                self._connections.pop(address).close()


def _check_outlook(call: Call, runner: RunnerRecord, outlook: Outlook) -> None:
    """Refuse now what the runner would refuse."""
    holder, now = (call.client_id, call.lane), time.monotonic()
    if call.deadline <= now:
        # Not for want of room, and to come again would not help.
        raise DeadlineExceeded(call.limit_s)

    try:
        outlook.check(runner, holder, len(call.rows), deadline=call.deadline, now=now)
    except (QueueFull, ShareExceeded) as err:
        REFUSED.labels(place="runner", code=err.code).inc()
        raise


def _answer(header: InferReply, frames: list[bytes | memoryview], call: Call, runner: RunnerRecord) -> InferAnswer:
    if len(frames) != len(call.rows):
        raise ModelFailed(f"{call.ref} answered {len(frames)} of {len(call.rows)} rows.")

    rows = whole_rows(header, frames)
    return InferAnswer(rows=rows, queue_s=header.queue_s, compute_s=header.compute_s, runner=runner)


def whole_rows(header: InferReply, frames: Sequence[bytes | memoryview]) -> list[bytes | memoryview | RowFailure]:
    """Return the rows of a reply: its frames, with a failure in the place of each row that has one."""
    rows: list[bytes | memoryview | RowFailure] = list(frames)
    for failure in header.failures:
        rows[failure.row] = failure
    return rows
