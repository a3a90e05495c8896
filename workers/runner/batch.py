"""Batches: rows in, one outcome per row out, whatever the rows and the model do."""

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from app.errors import GalleyError, ModelFailed, SignatureMismatch
from workers.runner.calls import Row
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Pipeline, PreparedRow

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """A row on its way: prepared, then answered; how long it computed so far."""

    row: Row
    started_at: float
    prepared: PreparedRow | None = None
    answer: bytes | GalleyError | None = None
    compute_s: float = 0.0


class BatchRunner:
    """Runs rows through a pipeline and a model. Both steps may be called by several threads at once."""

    def __init__(self, model: LoadedModel, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._model = model

    def prepare(self, rows: Sequence[Row]) -> list[Work]:
        """Decode and preprocess; a bad row has its answer after this."""
        return [self._prepare(row) for row in rows]

    def forward(self, works: Sequence[Work]) -> None:
        """Answer every prepared row; rows whose tensors differ in shape run in batches of their own."""
        started = time.perf_counter()
        groups: dict[tuple[torch.Size, ...], list[Work]] = defaultdict(list)
        for work in works:
            if work.prepared is not None:
                groups[tuple(tensor.shape for tensor in work.prepared.inputs)].append(work)
        for group in groups.values():
            self._answer_group(group)
        took = time.perf_counter() - started
        for work in works:
            work.compute_s += took

    def _prepare(self, row: Row) -> Work:
        started = time.perf_counter()
        work = Work(row, time.monotonic())
        try:
            work.prepared = self.pipeline.prepare(row.data, row.call.parameters)
        except GalleyError as err:
            work.answer = err
        except Exception:
            # A last line of defence: what one row's bytes can set off must not end a runner that others use.
            logger.exception("preparing a row of %s failed", self._model.manifest.name)
            work.answer = ModelFailed("The row could not be prepared.")
        work.compute_s = time.perf_counter() - started
        return work

    def _answer_group(self, group: list[Work]) -> None:
        try:
            answers = self._run([work.prepared for work in group if work.prepared is not None])
        except Exception as err:  # noqa: BLE001 - _blame() logs what is no error of the model
            # The same line of defence. One of them is to blame; alone, the others do not pay for it.
            if len(group) == 1:
                group[0].answer = self._blame(err)
                return
            for work in group:
                self._answer_group([work])
            return

        for work, answer in zip(group, answers, strict=True):
            work.answer = answer

    def _blame(self, err: Exception) -> ModelFailed:
        if isinstance(err, ModelFailed | SignatureMismatch):
            return ModelFailed(err.detail)

        logger.error("answering a row of %s failed", self._model.manifest.name, exc_info=err)
        return ModelFailed("The row could not be answered.")

    def _run(self, rows: list[PreparedRow]) -> list[bytes | GalleyError]:
        with torch.inference_mode():
            inputs = [torch.stack(tensors) for tensors in zip(*(row.inputs for row in rows), strict=True)]
            return self.pipeline.encode(rows, self._model.forward(inputs))
