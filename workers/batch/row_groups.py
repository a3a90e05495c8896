"""Rows of a job through a model: read one by one, run in groups that depend on nothing but the rows.

The same rows give the same groups, and so the same bytes, whoever runs them and however often: sums in another order
differ in their last bits. A group's rows share the calls of the model; a bad one has its own answer.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.errors import GalleyError, UnavailableError, WrongTask
from app.inference.messages import Form, InferRequest, Lane
from app.scenarios.job_inputs import InputFormat, InputRow
from app.scenarios.job_kind import AskedRow, JobKind
from app.scenarios.job_results import error_line, result_line
from app.scenarios.outcomes import Outcome, write_answered_by
from model_store.manifest import Manifest
from workers.batch.chunk_sizes import tensor_bytes
from workers.batch.engine import LoadedVersion
from workers.batch.row_sequences import sequences_of
from workers.runner.batch import Work, without_frames
from workers.runner.calls import Call

# A group is several batches where rows are small: what is done once per group costs as much as ten of its rows.
MOST_GROUP_ROWS: Final = 256
# What a group may hold: of its rows as they came, and of their tensors.
MOST_GROUP_BYTES: Final = 8 * 2**20
MOST_GROUP_TENSOR_BYTES: Final = 32 * 2**20
# Longer than any chunk may take.
PATIENCE_S: Final = 24 * 3600.0

Entry = tuple[InputRow, AskedRow | GalleyError]
"""A row as it was read, and what it asks for, or why it is a bad one."""


@dataclass(slots=True)
class AnsweredGroup:
    """The lines of a group's good rows, and those of its bad ones."""

    results: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)


class RowRunner:
    """Answers the rows of one kind, with one version; `batch_rows` of them, at most, per call of the model.

    `variant` is that of the route which chose the version, if one did.

    :raises WrongTask: when the model does another task than the kind's.
    :raises InputError: when the parameters are wrong.
    """

    def __init__(
        self,
        kind: JobKind,
        version: LoadedVersion,
        *,
        parameters: dict[str, Any],
        batch_rows: int,
        variant: str | None = None,
    ) -> None:
        form = Form.TENSORS if kind.task is None else Form.SCENARIO
        task = version.manifest.task
        if form not in version.runner.pipelines or kind.task not in (None, task):
            raise WrongTask(version.ref.name, task, kind.task or task)

        self._kind = kind
        self._version = version
        self._batch_rows = batch_rows
        self._group_rows = _group_rows(version.manifest, batch_rows)
        self._parameters = version.runner.pipelines[form].read_parameters(kind.read_parameters(parameters))
        self._answered_by = write_answered_by(version.ref.name, version.ref.version, variant)
        self._request = InferRequest(call_id=0, deadline=time.monotonic() + PATIENCE_S, lane=Lane.BATCH, form=form)

    def answers(self, rows: Iterable[InputRow], input_format: InputFormat) -> Iterator[AnsweredGroup]:
        """Yield what comes of the rows, in their order, a group at a time.

        :raises UnavailableError: when what rows remember is away. Those of groups before are answered the same again.
        """
        read = self._kind.reader(input_format, self._version.manifest)
        group: list[Entry] = []
        count, size_bytes = 0, 0
        for row in rows:
            content = row.content
            asked: AskedRow | GalleyError
            try:
                asked = content if isinstance(content, GalleyError) else read(content)
            except GalleyError as err:
                asked = without_frames(err)
            group.append((row, asked))
            count += 1
            if isinstance(asked, AskedRow):
                count += len(asked.rows) - 1
                size_bytes += sum(map(len, asked.rows))
            if count >= self._group_rows or size_bytes >= MOST_GROUP_BYTES:
                yield self._answer(group)
                group, count, size_bytes = [], 0, 0
        if group:
            yield self._answer(group)

    def _answer(self, group: list[Entry]) -> AnsweredGroup:
        answered = AnsweredGroup()
        outcomes = iter(self._run(group))
        for row, asked in group:
            if isinstance(asked, GalleyError):
                answered.errors.append(error_line(row.number, asked, row.name))
                continue
            name = row.name or asked.name
            try:
                own = [next(outcomes) for _ in asked.rows]
                answer = self._kind.answer(asked, own, self._answered_by)
            except GalleyError as err:
                answered.errors.append(error_line(row.number, err, name))
            else:
                answered.results.append(result_line(row.number, answer, name))
        return answered

    def _run(self, group: list[Entry]) -> list[Outcome]:
        """Return what became of all rows that the group has for the model, in order."""
        good = [asked for _, asked in group if isinstance(asked, AskedRow)]
        request = msgspec.structs.replace(self._request, sequences=sequences_of(self._kind, good))
        call = Call(b"", request, [row for asked in good for row in asked.rows], parameters=self._parameters)
        for row in call.rows:
            # A v2 request's own timeout counts from here. In a job nobody waits for the row: it never comes.
            row.queued_at = self._request.deadline
        works = self._version.runner.prepare(call.rows)
        self._version.runner.forward(works, limit=self._batch_rows)
        call.let_go()
        return [_outcome_of(work) for work in works]


def _outcome_of(work: Work) -> Outcome:
    # Left out, it would give each later row the answer of another.
    assert work.answer is not None
    if isinstance(work.answer, UnavailableError):
        # Not the row's fault, and it passes.
        raise work.answer
    return work.answer


def _group_rows(manifest: Manifest, batch_rows: int) -> int:
    """Return how many rows a group may have: as many as fit where their size is known, and always a whole batch."""
    row_bytes = tensor_bytes((*manifest.inputs, *manifest.outputs))
    if row_bytes is None:
        return batch_rows

    return max(batch_rows, min(MOST_GROUP_ROWS, MOST_GROUP_TENSOR_BYTES // max(1, row_bytes)))
