"""Assignments folded into one batch that Redis adds whole: counters, subjects, and who got which variant."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain
from typing import Final, Self
from uuid import uuid4

import msgspec

from app.services.experiment_keys import counts_key, newest_key, segment_prefix, shares_key, subjects_key
from app.services.latency_histogram import bucket_of_latency
from app.settings import Settings

MOST_SUBJECTS: Final = 1_000_000
"""How many subjects of one experiment are told apart: about 60 MB of Redis' memory."""
MOST_PER_BATCH: Final = 500
"""Assignments in one batch: while one is folded here, and while Redis adds it there, all others wait."""
SEGMENTS: Final = 20
RECEIPT_S: Final = 600

Shares = Mapping[str, float]
"""Which part of the buckets each variant of a route has, in the order of the route."""


class Ending(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    CALLER_ERROR = "caller_error"
    ERROR = "error"

    @classmethod
    def of_status(cls, status: int) -> "Ending":
        """Return what an HTTP status says of the variant: with 4xx it is the caller who erred."""
        if status < 400:
            return cls.ANSWERED

        return cls.CALLER_ERROR if status < 500 else cls.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One request that a variant of a route took, and how it ended.

    `is_dealt` says that the buckets chose: those that an override sends are no part of the sample.
    """

    model_name: str
    revision: int
    variant: str
    version: int
    subject: str
    request_id: str
    ending: Ending
    seconds: float
    is_dealt: bool = True


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How long and how much is kept of assignments."""

    counts_s: int
    assignments_s: int
    assignments: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            counts_s=settings.outcome_days * 86_400,
            assignments_s=settings.assignment_ttl_s,
            assignments=settings.assignments_kept,
        )

    @property
    def segment_size(self) -> int:
        """Return how many assignments fill a segment."""
        return max(self.assignments // SEGMENTS, 1)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What goes to Redis in one call; `batch_id` lets it be sent again without counting twice."""

    batch_id: str
    size: int
    payload: bytes
    digests: bytes


@dataclass
class _Experiment:
    counts: Counter[str] = field(default_factory=Counter)
    subjects: dict[bytes, str] = field(default_factory=dict)


def make_batch(
    assignments: Sequence[Assignment], keeping: Keeping, *, shares_of: Callable[[str, int], Shares | None]
) -> Batch:
    """Fold assignments. `shares_of` tells a revision's shares where they are known."""
    experiments: defaultdict[tuple[str, int], _Experiment] = defaultdict(_Experiment)
    units: defaultdict[str, dict[bytes, str]] = defaultdict(dict)
    for one in assignments:
        _count(experiments[one.model_name, one.revision], one)
        _assign(units[one.model_name], one)
    payload = {
        "receipt_s": RECEIPT_S,
        "counts_s": keeping.counts_s,
        "subjects_s": keeping.assignments_s,
        "assignments_s": keeping.assignments_s,
        "most_subjects": MOST_SUBJECTS,
        "segment_size": keeping.segment_size,
        "segments": SEGMENTS,
        "experiments": [_experiment_members(*key, one, shares_of(*key)) for key, one in experiments.items()],
        "models": [_model_members(name, assigned) for name, assigned in units.items()],
    }
    digests = [*(one.subjects for one in experiments.values()), *units.values()]
    return Batch(
        batch_id=uuid4().hex,
        size=len(assignments),
        payload=msgspec.msgpack.encode(payload),
        digests=b"".join(chain.from_iterable(digests)),
    )


def request_unit(request_id: str) -> str:
    """Return the unit that a request is."""
    return f"request:{request_id}"


def subject_unit(subject: str) -> str:
    """Return the unit that a subject is."""
    return f"subject:{subject}"


def unit_digest(unit: str) -> bytes:
    """Return the 8 bytes that stand for a unit: of a million, two share theirs once in 37 million times."""
    return hashlib.blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _count(experiment: _Experiment, one: Assignment) -> None:
    counts, variant = experiment.counts, one.variant
    counts[f"{variant}:requests"] += 1
    if one.ending is Ending.ANSWERED:
        counts[f"{variant}:b{bucket_of_latency(one.seconds)}"] += 1
    else:
        counts[f"{variant}:{one.ending}s"] += 1
    if one.is_dealt and one.subject:
        experiment.subjects[unit_digest(f"{variant}\0{one.subject}")] = f"{variant}:subjects"


def _assign(units: dict[bytes, str], one: Assignment) -> None:
    value = f"{one.revision}:{one.variant}"
    units[unit_digest(request_unit(one.request_id))] = value
    if one.subject:
        units[unit_digest(subject_unit(one.subject))] = value


def _experiment_members(
    model_name: str, revision: int, experiment: _Experiment, shares: Shares | None
) -> dict[str, object]:
    members: dict[str, object] = {
        "counts_key": counts_key(model_name, revision),
        "subjects_key": subjects_key(model_name, revision),
        "shares_key": shares_key(model_name, revision),
        "counts": dict(experiment.counts),
        "subjects": list(experiment.subjects.values()),
    }
    return members if shares is None else {**members, "shares": msgspec.json.encode(shares).decode()}


def _model_members(model_name: str, assigned: dict[bytes, str]) -> dict[str, object]:
    return {
        "newest_key": newest_key(model_name),
        "segment_prefix": segment_prefix(model_name),
        "assignments": list(assigned.values()),
    }
