"""Jobs that recommend: each row is the body of a call for recommendations, of one user or of several."""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from app.scenarios.job_inputs import InputFormat, Record
from app.scenarios.job_kind import AskedRow, Content, JobKind, RowReader
from app.scenarios.job_tables import as_json, check_columns, present
from app.scenarios.outcomes import Outcome
from app.scenarios.recommendation_answers import write_answer
from app.scenarios.recommendation_requests import RecommendationBody, read_request
from app.scenarios.recommendations import TASK
from app.settings import Settings
from model_store.manifest import Manifest

_MEMBERS: Final = RecommendationBody.__struct_fields__
_encode: Final = msgspec.json.Encoder().encode


class RecommendationJobs(JobKind):
    """Recommend items to the users of each row. The columns of a table are the members of the body."""

    name = "recommendations"
    task = TASK
    formats = frozenset({InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.RAW})
    columns = ("user_id", "items", "cold_start", "results", "model")

    def default_model(self, settings: Settings) -> str:
        """Return the model that the route asks."""
        return settings.recommendations_model

    def check_columns(self, columns: Collection[str], _manifest: Manifest) -> None:
        """Check that there are users, and nothing that no body has."""
        check_columns(columns, known=_MEMBERS, any_of=("user_id", "user_ids"))

    def reader(self, _input_format: InputFormat, _manifest: Manifest) -> RowReader:
        """Return what reads a body, and the cells of a row as one."""
        return _read

    def answer(self, asked: AskedRow, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
        """Return what the route answers."""
        return write_answer(asked.context, outcomes, answered_by)


def _read(content: Content) -> AskedRow:
    body = content if isinstance(content, bytes) else _body_of(content)
    request = read_request(body)
    return AskedRow(request.rows, request)


def _body_of(record: Record) -> bytes:
    return _encode({column: as_json(cell) for column, cell in present(record).items()})
