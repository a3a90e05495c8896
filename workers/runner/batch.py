"""Batches: rows in, one outcome per row out, whatever the rows and the model do."""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from app.errors import DeadlineExceeded, GalleyError, InvalidTensor, ModelFailed, SignatureMismatch
from app.inference.messages import Form
from app.infra.log_context import log_fields
from workers.runner.calls import Row
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Pipeline, PreparedRow, SequencePipeline
from workers.runner.values import Value, joined, sliced

logger = logging.getLogger(__name__)

# torch has no kernel of most operations for the wide unsigned types; which ones a model needs may depend on its input.
_NO_KERNEL = re.compile(r"not implemented for '(UInt\d+)'")


@dataclass(slots=True)
class Work:
    """A row on its way: prepared, then answered; and the seconds that each step took so far."""

    row: Row
    started_at: float
    prepared: PreparedRow | None = None
    answer: bytes | GalleyError | None = None
    state: bytes | None = None
    """What the row leaves of the sequence that it goes on with, if it names one."""
    input_s: float = 0.0
    infer_s: float = 0.0
    output_s: float = 0.0

    @property
    def compute_s(self) -> float:
        """Seconds of all steps."""
        return self.input_s + self.infer_s + self.output_s

    def queue_s(self, now: float) -> float:
        """Return the seconds from arrival to `now` in which nothing was done for it."""
        return max(0.0, now - self.row.queued_at - self.compute_s)

    @property
    def size(self) -> int:
        """How many rows of a batch it takes."""
        return 0 if self.prepared is None else self.prepared.size


@dataclass(frozen=True, slots=True)
class Execution:
    """One call of the model: the rows of its batch, and the seconds of making it, running it and answering."""

    size: int
    input_s: float
    infer_s: float
    output_s: float


class BatchRunner:
    """Runs rows through a pipeline and a model. Both steps may be called by several threads at once."""

    def __init__(self, model: LoadedModel, pipelines: Mapping[Form, Pipeline]) -> None:
        self.pipelines = pipelines
        self.name = model.manifest.name
        self.version = model.manifest.version
        self.task = model.manifest.task
        self._model = model
        # A signature that fixes the first dimension leaves nothing to join or to split.
        self._is_batching = all(spec.shape[0] == -1 for spec in model.manifest.inputs)

    def prepare(self, rows: Sequence[Row]) -> list[Work]:
        """Decode and preprocess; a bad row has its answer after this."""
        return [self._prepare(row) for row in rows]

    def forward(self, works: Sequence[Work], *, limit: int) -> list[Execution]:
        """Answer every prepared row, at most `limit` rows per call of the model; return those calls.

        Blocks whose values differ in shape run in batches of their own, and so do those of different forms.
        """
        groups: dict[object, list[Work]] = defaultdict(list)
        for work in works:
            if work.prepared is not None and work.answer is None and not _is_late(work):
                groups[self._group(work, work.prepared)].append(work)
        executions: list[Execution] = []
        for group in groups.values():
            executions += self._answer_group(group, limit)
        return executions

    def ready(self, work: Work, prepare: Callable[[], PreparedRow]) -> None:
        """Prepare a row as `prepare` does it; a bad one has its answer after this."""
        started = time.perf_counter()
        try:
            work.prepared = prepare()
        except GalleyError as err:
            # Its traceback would hold the row's bytes, and this frame, which holds the error: a circle that nobody
            # breaks for long. 64 MB of it each time are soon all the memory there is.
            work.answer = without_frames(err)
        except Exception:
            # A last line of defence: what one row's bytes can set off must not end a runner that others use.
            with log_fields(request_id=work.row.call.request_id):
                logger.exception("preparing a row of %s failed", self._model.manifest.name)
            work.answer = ModelFailed("The row could not be prepared.")
        work.input_s += time.perf_counter() - started

    def _prepare(self, row: Row) -> Work:
        work = Work(row, time.monotonic())
        self.ready(work, lambda: self.pipelines[row.call.form].prepare(row.data, row.call.parameters))
        row.release()
        return work

    def _group(self, work: Work, prepared: PreparedRow) -> object:
        if not self._is_batching:
            return id(work)
        return (work.row.call.form, *(value.shape[1:] for value in prepared.inputs))

    def _answer_group(self, group: list[Work], limit: int) -> list[Execution]:
        started = time.perf_counter()
        try:
            return self._run(group, limit)
        except Exception as err:  # noqa: BLE001 - _blame() logs what is no error of the model
            # The same line of defence. One of them is to blame; alone, the others do not pay for it.
            took = time.perf_counter() - started
            for work in group:
                work.infer_s += took
            if len(group) == 1:
                group[0].answer = self._blame(group[0], err)
                return []
            return [execution for work in group for execution in self._answer_group([work], limit)]

    def _blame(self, work: Work, err: Exception) -> GalleyError:
        if isinstance(err, DeadlineExceeded):
            return _too_late(work)
        if isinstance(err, ModelFailed | SignatureMismatch):
            missing = _NO_KERNEL.search(err.detail)
            if missing:
                return InvalidTensor(
                    f"The model cannot compute with this input: torch has no such {missing[1]} kernel."
                )
            return ModelFailed(err.detail)

        with log_fields(request_id=work.row.call.request_id):
            logger.error("answering a row of %s failed", self._model.manifest.name, exc_info=err)
        return ModelFailed("The row could not be answered.")

    @torch.inference_mode()
    def _run(self, group: list[Work], limit: int) -> list[Execution]:
        rows = [work.prepared for work in group if work.prepared is not None]
        started = time.perf_counter()
        inputs = [joined(values) for values in zip(*(row.inputs for row in rows), strict=True)]
        made = time.perf_counter()
        parts, sizes, times = self._forward(inputs, limit, max(work.row.call.deadline for work in group))
        outputs = [joined(values) for values in zip(*parts, strict=True)]
        run = time.perf_counter()
        pipeline = self.pipelines[group[0].row.call.form]
        answers = pipeline.encode(rows, outputs)
        if group[0].row.sequence is not None and isinstance(pipeline, SequencePipeline):
            for work, state in zip(group, pipeline.states(rows, outputs), strict=True):
                work.state = state
        ended = time.perf_counter()
        for work, answer in zip(group, answers, strict=True):
            work.answer = answer
            work.input_s += made - started
            work.infer_s += run - made
            work.output_s += ended - run
        input_s = (sum(work.input_s for work in group)) / len(sizes)
        return [
            Execution(size, input_s, took, (ended - run) / len(sizes)) for size, took in zip(sizes, times, strict=True)
        ]

    def _forward(
        self, inputs: list[Value], limit: int, deadline: float
    ) -> tuple[list[list[Value]], list[int], list[float]]:
        """Run the model over all rows, at most `limit` at once, as long as anybody waits for them."""
        total = inputs[0].shape[0]
        step = limit if self._is_batching else max(1, total)
        parts: list[list[Value]] = []
        sizes: list[int] = []
        times: list[float] = []
        for start in range(0, max(1, total), step):
            if start and time.monotonic() > deadline:
                raise DeadlineExceeded(0.0)
            started = time.perf_counter()
            parts.append(self._model.forward([sliced(value, start, start + step) for value in inputs]))
            times.append(time.perf_counter() - started)
            sizes.append(min(step, total - start))
        return parts, sizes, times


def without_frames(err: GalleyError) -> GalleyError:
    """Return an error that is no more than its sentence: no traceback, and no cause that has one."""
    err.__cause__ = err.__context__ = None
    return err.with_traceback(None)


def _is_late(work: Work) -> bool:
    """Say whether a row waited longer than its caller does, or would have it; it has its answer then."""
    assert work.prepared is not None
    now = time.monotonic()
    timeout_s = work.prepared.timeout_s
    if timeout_s and now > work.row.queued_at + timeout_s:
        work.answer = DeadlineExceeded(timeout_s)
    elif now > work.row.call.deadline:
        work.answer = _too_late(work)
    return work.answer is not None


def _too_late(work: Work) -> DeadlineExceeded:
    return DeadlineExceeded(round(work.row.call.deadline - work.row.queued_at, 3))
