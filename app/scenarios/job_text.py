"""Jobs that classify texts: each row is the body of a call, of one text or of several."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.scenarios.job_inputs import InputFormat, Record
from app.scenarios.job_kind import AskedRow, Content, JobKind, RowReader
from app.scenarios.job_tables import check_columns, present, textual
from app.scenarios.outcomes import Outcome
from app.scenarios.text import TASK, read_parameters
from app.scenarios.text_answers import write_answer
from app.scenarios.text_requests import read_request
from app.settings import Settings
from model_store.manifest import Manifest

_TEXT: Final = "text"
_encode: Final = msgspec.json.Encoder().encode


class TextJobs(JobKind):
    """Classify the text of each row. Parameter `top_k` says how many labels each has."""

    name = "text"
    task = TASK
    formats = frozenset({InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.RAW})
    columns = ("results", "model")

    def default_model(self, settings: Settings) -> str:
        """Return the model that the route asks."""
        return settings.text_model

    def read_parameters(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many labels are wanted."""
        return {"top_k": read_parameters(dict(raw)).top_k}

    def check_columns(self, columns: Collection[str], _manifest: Manifest) -> None:
        """Check that the table has texts, and nothing else."""
        check_columns(columns, known=(_TEXT,), needed=(_TEXT,))

    def reader(self, _input_format: InputFormat, _manifest: Manifest) -> RowReader:
        """Return what reads a body, and the cell of a row as one."""
        return _read

    def answer(self, _asked: AskedRow, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
        """Return what the route answers."""
        return write_answer(outcomes, answered_by)


def _read(content: Content) -> AskedRow:
    return AskedRow(read_request(content if isinstance(content, bytes) else _body_of(content)))


def _body_of(record: Record) -> bytes:
    # What looks like JSON, such as "42", is a text all the same.
    return _encode({column: textual(cell) for column, cell in present(record).items()})
