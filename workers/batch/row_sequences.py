"""Which sequences the rows of a job go on with: those that the scenario's single call would go on with."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from app.inference.messages import SequenceCall
from app.scenarios.job_fraud import FraudJobs
from app.scenarios.job_kind import AskedRow, JobKind
from app.services.fraud_sequence import sequence_of

_SEQUENCES: Final[Mapping[str, Callable[[AskedRow], SequenceCall]]] = {
    FraudJobs.name: lambda asked: sequence_of(asked.context),
}


def sequences_of(kind: JobKind, rows: Iterable[AskedRow]) -> list[SequenceCall]:
    """Return the sequence of each row; none at all for kinds whose rows remember nothing."""
    sequence = _SEQUENCES.get(kind.name)
    return [] if sequence is None else [sequence(asked) for asked in rows]
