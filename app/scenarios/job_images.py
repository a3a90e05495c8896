"""Jobs that classify pictures: each row is a file of an archive, or a record that holds one."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import InvalidFields, UnreadableRow
from app.scenarios.image_answers import write_answer
from app.scenarios.images import TASK, read_parameters
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content, JobKind, RowReader
from app.scenarios.job_tables import check_columns, present
from app.scenarios.outcomes import Outcome
from app.settings import Settings
from model_store.manifest import Manifest

LONGEST_IMAGE_NAME: Final = 1024
# Of what is told about a row that is none: it may repeat a name of the caller's.
_LONGEST_FAULT: Final = 200


class ImageRow(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture in a line of JSON or in a table: its file, in base64 where that is text, and what it is called."""

    image: bytes
    name: Annotated[str, Meta(max_length=LONGEST_IMAGE_NAME)] = ""


_decode: Final = msgspec.json.Decoder(ImageRow).decode


class ImageJobs(JobKind):
    """Classify the picture of each row. Parameter `top_k` says how many labels each has."""

    name = "images"
    task = TASK
    formats = frozenset(InputFormat)
    columns = ("name", "results", "model")

    def default_model(self, settings: Settings) -> str:
        """Return the model that the route asks."""
        return settings.images_model

    def read_parameters(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many labels are wanted."""
        return {"top_k": read_parameters(dict(raw)).top_k}

    def check_columns(self, columns: Collection[str], _manifest: Manifest) -> None:
        """Check that there are pictures, and nothing that no record has."""
        check_columns(columns, known=ImageRow.__struct_fields__, needed=("image",))

    def reader(self, input_format: InputFormat, _manifest: Manifest) -> RowReader:
        """Return what takes a file as it is, or takes it out of a line or a record."""
        return _read_record if input_format in _RECORDS else _read_file

    def answer(self, _asked: AskedRow, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
        """Return what the route answers for the picture alone."""
        return write_answer(outcomes, answered_by)


_RECORDS: Final = frozenset({InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET})


def _read_file(content: Content) -> AskedRow:
    assert isinstance(content, bytes)
    return AskedRow([content])


def _read_record(content: Content) -> AskedRow:
    try:
        row = _decode(content) if isinstance(content, bytes) else msgspec.convert(present(content), ImageRow)
    except msgspec.ValidationError as err:
        raise InvalidFields({"body": [f"{str(err)[:_LONGEST_FAULT]}."]}) from err
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise UnreadableRow(f"The row is not valid JSON: {err}.") from err
    return AskedRow([row.image], name=row.name)
