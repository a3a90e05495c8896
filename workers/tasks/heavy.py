"""Calls of heavy models whose callers wait: one task answers one call, and none is done twice."""

import logging
from typing import Any

from billiard.einfo import ExceptionWithTraceback
from celery.exceptions import WorkerLostError
from celery.worker.request import Request

from app.errors import DeadlineExceeded, ModelFailed, RedisUnavailable, RunnerLost
from app.inference.heavy_queue import HeavyQueue, TakenCall
from app.inference.messages import Refusal, encode
from app.infra.log_context import follow_request
from app.infra.task_names import TaskName
from workers.batch.heavy_call import HeavyDesk
from workers.batch.memory_cap import memory_cap
from workers.runner.device import available_cores
from workers.tasks.base import GalleyTask, galley_task
from workers.tasks.compute import engine_of

logger = logging.getLogger(__name__)

LOST = encode(Refusal(call_id=0, code=RunnerLost.code, detail="The process that had the call was lost."))
UNFORESEEN = encode(
    Refusal(call_id=0, code=ModelFailed.code, detail="The call failed unforeseen; the worker's log has it.")
)


class HeavyRequest(Request):  # type: ignore[misc]  # Celery has no types
    """A task as the worker's main process holds it: when it fails, the caller is told, who would wait in vain."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell the caller; Celery calls it when a process of the pool has died, too."""
        err = exc_info.exception
        if isinstance(err, ExceptionWithTraceback):
            err = err.exc
        # A process that was killed may be reported as its exit.
        is_lost = isinstance(err, WorkerLostError | SystemExit)
        self._tell(LOST if is_lost else UNFORESEEN)
        return super().on_failure(exc_info, *args, **kwargs)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Tell the caller that the process took too long, and is killed."""
        if not soft:
            self._tell(LOST)
        super().on_timeout(soft, timeout)

    def _tell(self, frame: bytes) -> None:
        try:
            # Of the whole worker, this holds the only loop.
            self.task.app.heavy_queue.refuse(self.args[0], frame)
        except RedisUnavailable as err:
            logger.warning("a caller cannot be told that its call is lost: %s", err.detail)


# It is not tried again, nor after its process died: by then its caller knows. Its message comes a second time where
# the whole worker died, and finds nothing: a call can be taken once.
@galley_task(TaskName.INFER_HEAVY, autoretry_for=(), reject_on_worker_lost=False, Request=HeavyRequest)
def infer_heavy(self: GalleyTask, ticket: str) -> str:
    """Answer the call that a ticket names; return what became of it."""
    queue: HeavyQueue = self.app.heavy_queue
    taken = queue.take(ticket)
    if taken is None:
        return "nobody waits"

    call = taken.call
    follow_request(call.request_id, call.traceparent, client=call.client_id, model=call.name, version=call.version)
    return _answer(self, queue, ticket, taken)


def _answer(task: GalleyTask, queue: HeavyQueue, ticket: str, taken: TakenCall) -> str:
    desk = _desk_of(task)
    try:
        with memory_cap(task.parts.settings.job_memory_limit):
            answer = desk.answer(taken)
    except DeadlineExceeded:
        return "too late"

    is_awaited = queue.answer(ticket, answer.frames)
    if answer.took_s:
        try:
            queue.note_cost(taken.call.ref, answer.took_s)
        except RedisUnavailable as err:
            # The caller has his answer: a task that failed now would have him told otherwise.
            logger.warning("what a call cost is not noted: %s", err.detail)
    return "answered" if is_awaited else "nobody waits any more"


def _desk_of(task: GalleyTask) -> HeavyDesk:
    """Return the desk of the process that runs a task, with the engine that all its tasks share."""
    desk: HeavyDesk | None = getattr(task.app, "heavy_desk", None)
    if desk is None:
        threads = max(1, available_cores() // task.parts.settings.job_workers)
        desk = task.app.heavy_desk = HeavyDesk(engine_of(task), threads=threads)
    return desk
