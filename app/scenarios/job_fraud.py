"""Jobs that score payments: each row is the body of a call, and moves its account as the call would."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from app.infra.clock import Clock
from app.scenarios.fraud_answers import write_answer
from app.scenarios.fraud_events import TASK, encode_event, read_request
from app.scenarios.job_inputs import InputFormat, Record
from app.scenarios.job_kind import AskedRow, Content, JobKind, RowReader
from app.scenarios.job_tables import as_json, check_columns, present, textual
from app.scenarios.outcomes import Outcome, only_answer
from app.settings import Settings
from model_store.manifest import Manifest

_AMOUNT: Final = "amount"
_NEEDED: Final = ("event_id", "account_id", "merchant_id", _AMOUNT, "currency", "occurred_at")
_KNOWN: Final = (*_NEEDED, "channel", "country")
_encode: Final = msgspec.json.Encoder().encode


class FraudJobs(JobKind):
    """Score the payment of each row, in the order of the rows. The columns of a table are the members of the event."""

    name = "fraud"
    task = TASK
    formats = frozenset({InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.RAW})
    columns = ("event_id", "score", "decision", "reasons", "model")
    # Chunks at once would take an account's later payments before its earlier ones, which then come too late.
    is_ordered = True

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()

    def default_model(self, settings: Settings) -> str:
        """Return the model that the route asks."""
        return settings.fraud_model

    def check_columns(self, columns: Collection[str], _manifest: Manifest) -> None:
        """Check that the table has all that an event needs, and nothing that it has not."""
        check_columns(columns, known=_KNOWN, needed=_NEEDED)

    def reader(self, _input_format: InputFormat, _manifest: Manifest) -> RowReader:
        """Return what reads a body, and the cells of a row as one."""
        return self._read

    def answer(self, asked: AskedRow, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
        """Return what the route answers."""
        return write_answer(asked.context.event_id, only_answer(outcomes), answered_by)

    def _read(self, content: Content) -> AskedRow:
        """Read an event; the context is what it is read as."""
        body = content if isinstance(content, bytes) else _body_of(content)
        event = read_request(body, now=self._clock.utcnow())
        return AskedRow([encode_event(event)], event)


def _body_of(record: Record) -> bytes:
    return _encode({"event": {column: _member(column, cell) for column, cell in present(record).items()}})


def _member(column: str, cell: Any) -> Any:
    """Return a cell as its member: where all is text the amount is, too, and where ids are numbers they are ids."""
    if column == _AMOUNT:
        return as_json(cell)

    return str(cell) if type(cell) is int else textual(cell)
