"""One call of a heavy model: its version is loaded, its rows are run, and the caller who waits gets the frames."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import DeadlineExceeded, GalleyError, ModelFailed, ModelLoading, NotFoundError, StoreError, WrongTask
from app.inference.heavy_queue import TakenCall
from app.inference.messages import InferRequest, Refusal, encode
from model_store.model_ref import ModelRef
from workers.batch.chunk_sizes import batch_rows_of
from workers.batch.engine import Engine, LoadedVersion
from workers.runner.batch import Execution, Work
from workers.runner.calls import Call
from workers.runner.device import use_torch_threads
from workers.runner.metrics import RunnerMetrics

logger = logging.getLogger(__name__)

FAILED_RETRY_S: Final = 5.0
# What Redis carries in one piece is less than twice this.
MOST_ANSWER_BYTES: Final = 256 * 2**20


@dataclass(frozen=True)
class HeavyAnswer:
    """What goes back to the caller, and the seconds it took without those of loading; 0 where nothing was run."""

    frames: list[bytes]
    took_s: float = 0.0


class HeavyDesk:
    """Answers calls, one after the other, with the versions that its process holds."""

    def __init__(self, engine: Engine, *, threads: int) -> None:
        self._engine = engine
        self._threads = threads
        self._metrics: dict[ModelRef, RunnerMetrics] = {}

    def answer(self, taken: TakenCall) -> HeavyAnswer:
        """Answer a call, or refuse it.

        :raises DeadlineExceeded: when the caller was gone before the model was asked: there is nobody to tell.
        """
        deadline = time.monotonic() + taken.left_s
        call = taken.call
        try:
            version = self._engine.load(call.ref, call.digest)
        except (StoreError, NotFoundError) as err:
            logger.warning("%s cannot be loaded: %s", call.ref, err.detail)
            detail = f"The last attempt to load {call.ref} failed; it will be tried again."
            return _refusal(ModelLoading.code, detail, retry_after_s=FAILED_RETRY_S)

        if time.monotonic() > deadline:
            raise DeadlineExceeded(call.limit_s)
        try:
            return self._run(version, taken, deadline)
        except GalleyError as err:
            return _refusal(err.code, err.detail)

    def _run(self, version: LoadedVersion, taken: TakenCall, deadline: float) -> HeavyAnswer:
        # The engine's own work, and that of chunks, takes one thread. Here somebody waits.
        use_torch_threads(self._threads)
        started = time.monotonic()
        call = _call(version, taken, deadline)
        works = version.runner.prepare(call.rows)
        executions = version.runner.forward(works, limit=batch_rows_of({}, version.manifest))
        now = time.monotonic()
        self._count(version.ref, works, executions, now)
        for work in works:
            assert work.answer is not None
            call.took(queue_s=work.queue_s(now), compute_s=work.compute_s)
            call.finish(work.row.index, work.answer)
        frames = call.reply(None)
        call.let_go()
        _check_size(frames)
        return HeavyAnswer(frames, now - started)

    def _count(self, ref: ModelRef, works: Sequence[Work], executions: Sequence[Execution], now: float) -> None:
        """Count as a runner does: the statistics of a version do not ask who ran it."""
        if ref not in self._metrics:
            self._metrics[ref] = RunnerMetrics(ref)
        self._metrics[ref].executed(executions)
        self._metrics[ref].answered(works, now)


def _call(version: LoadedVersion, taken: TakenCall, deadline: float) -> Call:
    """Return a call as runners know it; its rows were queued when it was let in."""
    asked = taken.call
    pipelines = version.runner.pipelines
    if asked.form not in pipelines:
        raise WrongTask(asked.name, version.manifest.task, "its scenario: it lacks what that needs")

    parameters = pipelines[asked.form].read_parameters(asked.parameters)
    request = InferRequest(call_id=0, deadline=deadline, form=asked.form, client_id=asked.client_id)
    call = Call(b"", request, taken.rows, parameters=parameters)
    for row in call.rows:
        row.queued_at = deadline - asked.limit_s
    return call


def _check_size(frames: Sequence[bytes]) -> None:
    size_bytes = sum(map(len, frames))
    if size_bytes > MOST_ANSWER_BYTES:
        raise ModelFailed(
            f"The answer has {size_bytes} bytes, more than the {MOST_ANSWER_BYTES} that a heavy model may answer."
        )


def _refusal(code: str, detail: str, *, retry_after_s: float = 1.0) -> HeavyAnswer:
    return HeavyAnswer([encode(Refusal(call_id=0, code=code, detail=detail, retry_after_s=retry_after_s))])
