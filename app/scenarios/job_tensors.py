"""Jobs that call any model: each row is a v2 inference request, or a record whose cells are its tensors."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Final

from app.errors import InvalidTensor
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content, JobKind, RowReader
from app.scenarios.outcomes import Outcome, only_answer
from app.scenarios.tensor_frames import read_answer
from app.scenarios.tensor_records import RecordWriter
from model_store.manifest import Manifest

_TABLES: Final = frozenset({InputFormat.CSV, InputFormat.PARQUET})


class TensorJobs(JobKind):
    """Call a model, whatever its task, with the tensors of each row."""

    name = "tensor"
    task = None
    formats = frozenset({InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.RAW})
    columns = ("model_name", "model_version", "id", "parameters", "outputs")

    def check_columns(self, columns: Collection[str], manifest: Manifest) -> None:
        """Check that the columns are the model's inputs, or the elements of its only one."""
        RecordWriter(manifest.inputs).check_columns(columns)

    def reader(self, input_format: InputFormat, manifest: Manifest) -> RowReader:
        """Return what takes a request as it is: the runner reads it; or writes one from a record."""
        if input_format in _TABLES:
            return partial(_read_record, RecordWriter(manifest.inputs))

        return _read_request

    def answer(self, _asked: AskedRow, outcomes: Sequence[Outcome], _answered_by: bytes) -> bytes:
        """Return what the route answers, which names the model itself."""
        answer = read_answer(only_answer(outcomes))
        if answer.json_bytes is not None:
            raise InvalidTensor("The outputs were asked for as binary data; a job's results are JSON.")

        return bytes(answer.body)


def _read_request(content: Content) -> AskedRow:
    assert isinstance(content, bytes)
    return AskedRow([content])


def _read_record(writer: RecordWriter, content: Content) -> AskedRow:
    assert not isinstance(content, bytes)
    return AskedRow([writer.write(content)])
