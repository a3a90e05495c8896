"""Continuous batching: what waits is run at once, what comes meanwhile is the next batch; no timer anywhere.

Everything here happens in the socket's thread; the crew gets rows and gives back work, and sees nothing else.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.errors import (
    DeadlineExceeded,
    Draining,
    GalleyError,
    InputError,
    ModelFailed,
    QueueFull,
    ShareExceeded,
    WrongTask,
)
from app.inference.messages import Form, InferRequest, Refusal, RunnerLoad, encode
from workers.runner.batch import BatchRunner, Execution, Work
from workers.runner.calls import Call, Row
from workers.runner.crew import Crew
from workers.runner.device import use_torch_threads
from workers.runner.door import InHand, check_room
from workers.runner.metrics import RunnerMetrics
from workers.runner.pipelines.base import Pipeline
from workers.runner.plan import ExecutionPlan
from workers.runner.row_queue import RowQueue
from workers.runner.sequence_turns import SequenceTurns
from workers.runner.sequences import SequenceRunner

logger = logging.getLogger(__name__)

Send = Callable[[bytes, list[bytes]], None]
# How fast the measured cost of a row follows the newest batch.
_FOLLOW = 0.2
# Batches of prepared rows to have at hand: one to compute while the crew prepares another. What is more waits in the
# queue, which is bounded and knows lanes and deadlines; tensors are large.
_BATCHES_AHEAD = 2
# A block that keeps the socket's thread longer than this is run by the crew, also of a light model.
_LONG_S = 0.1


@dataclass(frozen=True, slots=True)
class Finished:
    """What a thread of the crew did in one go, and what a row cost the whole runner."""

    works: list[Work]
    executions: list[Execution]
    row_cost_s: float


class Batcher:
    """Admits calls, forms batches, answers. Not thread-safe: the socket's thread owns it."""

    def __init__(
        self, runner: BatchRunner | SequenceRunner, plan: ExecutionPlan, queue: RowQueue, metrics: RunnerMetrics, *,
        send: Send, wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self._runner = runner
        self._plan = plan
        self._queue = queue
        self._turns = SequenceTurns()
        self._metrics = metrics
        self._send = send
        self._prepared: deque[Work] = deque()
        self._prepared_size = 0
        self._long: deque[Work] = deque()
        self._crew: Crew[Finished] = Crew(plan.threads, name="galley-compute", on_finished=wake)
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._prepare_cost_s = 0.0
        self.row_cost_s = plan.row_cost_s

    @property
    def queued_rows(self) -> int:
        """Rows that wait or are being computed."""
        return len(self._queue) + self._in_flight

    @property
    def load(self) -> RunnerLoad:
        """How busy the runner is."""
        return RunnerLoad(
            queued_rows=len(self._queue),
            computing_rows=self._in_flight,
            clients=self._queue.client_count,
            row_cost_s=self.row_cost_s,
        )

    @property
    def has_work(self) -> bool:
        """Whether `pump` has work to do now, without waiting for the crew."""
        # One block of many rows may have kept others from being prepared, and leave nothing behind when it is done.
        return bool(self._prepared) or bool(len(self._queue) and self._crew.idle and self._wants_prepared)

    def submit(self, identity: bytes, request: InferRequest, data: Sequence[bytes]) -> None:
        """Take a request in, or refuse it now."""
        try:
            parameters = self._pipeline(request.form).read_parameters(request.parameters)
            call = Call(identity, request, data, parameters=parameters)
            if not data:
                self._send(identity, call.reply(self.load))
                return
            try:
                self._admit(call)
            except GalleyError:
                call.let_go()
                raise
        except (InputError, QueueFull, ShareExceeded, DeadlineExceeded, WrongTask) as err:
            self.refuse(identity, request.call_id, err)

    def refuse(self, identity: bytes, call_id: int, err: GalleyError) -> None:
        """Answer a request with why it is not done."""
        self._metrics.refusal(err.code)
        self._send(identity, refusal(call_id, err, self.load))

    def pump(self) -> None:
        """Do what can be done now: collect, hand out, compute, answer."""
        for finished in self._crew.collect():
            self._take_back(finished)
        self._refuse_expired()
        self._hand_out()
        if self._prepared:
            self._forward_here()

    def abandon(self) -> None:
        """Refuse every call that still waits."""
        for call in self._queue.remove_all():
            self._drop(call, Draining("The runner is ending; send the request again."))

    def close(self) -> None:
        """End the crew's threads after the jobs they run, and answer those."""
        self._crew.close()
        for finished in self._crew.collect():
            self._take_back(finished)
        while self._turns.has_next:
            self._take_back(self._job(self._turns.take_next(), is_alone=True))
        self._prepared.extend(self._long)
        while self._prepared:
            self._forward_here()

    def _pipeline(self, form: Form) -> Pipeline:
        pipeline = self._runner.pipelines.get(form)
        if pipeline is None:
            raise WrongTask(
                self._runner.name, self._runner.task, "a task with a scenario; this one is asked for tensors"
            )
        return pipeline

    def _admit(self, call: Call) -> None:
        self._refuse_expired()
        now = time.monotonic()
        check_room(call, self._queue, InHand(self._in_flight, self._in_flight_bytes, self.row_cost_s), now)
        self._queue.put(call, now)

    def _refuse_expired(self) -> None:
        for call in self._queue.remove_expired(time.monotonic()):
            self._drop(call, _expired(call))

    def _hand_out(self) -> None:
        while self._crew.idle and self._turns.has_next:
            self._crew.start(partial(self._job, self._turns.take_next(), is_alone=False))
        while self._crew.idle and len(self._queue) and self._wants_prepared:
            is_alone = len(self._queue) == 1 and not self._crew.is_busy
            rows = self._queue.take(self._plan.share(len(self._queue), self._crew.idle))
            self._in_flight += len(rows)
            self._in_flight_bytes += sum(row.size_bytes for row in rows)
            rows = self._turns.begin(rows) if self._plan.is_heavy else self._prepare_quick(rows)
            if rows:
                self._crew.start(partial(self._job, rows, is_alone=is_alone))
        while self._crew.idle and self._long:
            self._crew.start(partial(self._long_job, self._long.popleft()))

    @property
    def _wants_prepared(self) -> bool:
        return self._prepared_size < _BATCHES_AHEAD * self._plan.batch_limit

    def _prepare_quick(self, rows: list[Row]) -> list[Row]:
        """Prepare here what takes less than handing it over; return the rest."""
        quick: list[Row] = []
        slow: list[Row] = []
        for row in rows:
            # Those of sequences are prepared when it is their turn, and overtake each other nowhere.
            is_quick = row.sequence is not None or self._pipeline(row.call.form).is_quick(row.data, row.call.parameters)
            (quick if is_quick else slow).append(row)
        if quick:
            self._take_back(self._job(quick, is_alone=True))
        return slow

    def _job(self, rows: list[Row], *, is_alone: bool) -> Finished:
        """Run on a thread of the crew."""
        use_torch_threads(self._plan.cores if self._plan.is_heavy and is_alone else 1)
        started = time.perf_counter()
        works = self._runner.prepare(rows)
        executions = self._forward(works) if self._plan.is_heavy else []
        took = time.perf_counter() - started
        return Finished(works, executions, took / len(rows) / (1 if is_alone else self._plan.threads))

    def _long_job(self, work: Work) -> Finished:
        """Run on a thread of the crew: a block of many rows, for a light model."""
        use_torch_threads(1)
        return Finished([work], self._forward([work]), 0.0)

    def _forward(self, works: list[Work]) -> list[Execution]:
        try:
            return self._runner.forward(works, limit=self._plan.batch_limit)
        except Exception:
            # A last line of defence: a runner that ends here takes the calls of all its callers with it.
            logger.exception("a batch of %s failed", self._runner.name)
            for work in works:
                work.answer = ModelFailed("The row could not be answered.")
            return []

    def _take_back(self, finished: Finished) -> None:
        self._metrics.executed(finished.executions)
        if self._plan.is_heavy:
            self._turns.end(work.row for work in finished.works)
            self._learn(finished.row_cost_s)
        elif not finished.executions:
            self._prepare_cost_s = finished.row_cost_s
        self._answer([work for work in finished.works if work.answer is not None])
        for work in finished.works:
            if work.answer is None:
                self._keep(work)

    def _keep(self, work: Work) -> None:
        if work.size > self._plan.batch_limit and work.size * self._plan.row_cost_s > _LONG_S:
            self._long.append(work)
            return

        self._prepared.append(work)
        self._prepared_size += _weight(work)

    def _forward_here(self) -> None:
        use_torch_threads(1)
        works = self._next_batch()
        started = time.perf_counter()
        executions = self._forward(works)
        self._metrics.executed(executions)
        self._learn(self._prepare_cost_s + (time.perf_counter() - started) / len(works))
        self._answer(works)

    def _next_batch(self) -> list[Work]:
        """Take prepared rows for one batch; a block that is larger than one comes alone."""
        works: list[Work] = []
        size = 0
        while self._prepared and (not works or size + _weight(self._prepared[0]) <= self._plan.batch_limit):
            works.append(self._prepared.popleft())
            size += _weight(works[-1])
        self._prepared_size -= size
        return works

    def _learn(self, row_cost_s: float) -> None:
        self.row_cost_s += _FOLLOW * (row_cost_s - self.row_cost_s)

    def _answer(self, works: list[Work]) -> None:
        now = time.monotonic()
        self._in_flight -= len(works)
        self._in_flight_bytes -= sum(work.row.size_bytes for work in works)
        self._metrics.answered(works, now)
        load = self.load
        for work in works:
            self._finish(work, now, load)

    def _finish(self, work: Work, now: float, load: RunnerLoad) -> None:
        assert work.answer is not None
        call = work.row.call
        if call.is_over:
            return

        call.took(queue_s=work.queue_s(now), compute_s=work.compute_s)
        if call.finish(work.row.index, work.answer):
            self._send(call.identity, call.reply(load))
            call.let_go()

    def _drop(self, call: Call, err: GalleyError) -> None:
        if not call.is_over:
            call.is_over = True
            self.refuse(call.identity, call.call_id, err)
            call.let_go()


def refusal(call_id: int, err: GalleyError, load: RunnerLoad | None = None) -> list[bytes]:
    """Return the frames of a refusal, with how busy the runner is."""
    retry_after_s = getattr(err, "retry_after_s", 1.0)
    header = Refusal(call_id=call_id, code=err.code, detail=err.detail, retry_after_s=retry_after_s, load=load)
    return [encode(header)]


def _expired(call: Call) -> DeadlineExceeded:
    return DeadlineExceeded(round(call.deadline - call.rows[0].queued_at, 3))


def _weight(work: Work) -> int:
    """Return what a prepared row counts towards a batch: one without rows for the model still takes a place."""
    return max(1, work.size)
