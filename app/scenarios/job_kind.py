"""What a kind of job is: how a row of its input becomes rows for a runner, and their outcomes a line of results."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Final

from app.errors import LONGEST_NAME, MOST_UNKNOWN, InvalidFields
from app.scenarios.job_inputs import InputFormat, Record
from app.scenarios.outcomes import Outcome
from app.settings import Settings
from model_store.manifest import Manifest, Task

Content = bytes | Record
"""A row as its format holds it: a line, a file or a body is bytes, a row of a table its cells by column."""

UNKNOWN: Final = "There is no such parameter."


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A row of an input, read: the rows a runner is to answer for it, and what the answer needs to know besides."""

    rows: Sequence[bytes]
    context: Any = None
    name: str = ""
    """What the row calls itself; empty where it does not."""


RowReader = Callable[[Content], AskedRow]
"""Reads one row; raises the GalleyError that makes it a bad one."""


class JobKind(ABC):
    """One kind of jobs. Keeps no state; what it says of rows is what the scenario's single call says."""

    name: ClassVar[str]
    task: ClassVar[Task | None]
    """What a model must do; None takes any model, and asks it in tensors."""
    formats: ClassVar[frozenset[InputFormat]]
    columns: ClassVar[tuple[str, ...]]
    """The members that a line of results may have besides `row`: the columns of results as CSV."""
    is_ordered: ClassVar[bool] = False
    """Whether rows have to be answered in their order, one chunk after the other: each meets what those before left."""

    def default_model(self, settings: Settings) -> str | None:  # noqa: ARG002 - for those that have one
        """Return the model that is asked where a job names none; None where it must."""
        return None

    def read_parameters(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return the pipeline's parameters, which are those of all rows, from the ones a job was posted with.

        What it returns it takes again, and returns the same.

        :raises InvalidFields: when they are wrong; any is where a kind has none.
        """
        if raw:
            raise InvalidFields({f"parameters.{name[:LONGEST_NAME]}": [UNKNOWN] for name in islice(raw, MOST_UNKNOWN)})

        return {}

    @abstractmethod
    def check_columns(self, columns: Collection[str], manifest: Manifest) -> None:
        """Check the columns of a table before any of its rows is read.

        :raises InvalidInput: when no row of it can be good.
        """

    @abstractmethod
    def reader(self, input_format: InputFormat, manifest: Manifest) -> RowReader:
        """Return what reads the rows of an input in one of `formats`, for the version of this manifest."""

    @abstractmethod
    def answer(self, asked: AskedRow, outcomes: Sequence[Outcome], answered_by: bytes) -> bytes:
        """Return a row's answer, a JSON object; `answered_by` is its member `model`, where it has one.

        :raises GalleyError: when the row is a bad one after all.
        """
