"""All kinds of jobs that have rows. A new one is a module beside this one, and its line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.errors import InvalidFields
from app.scenarios.job_fraud import FraudJobs
from app.scenarios.job_images import ImageJobs
from app.scenarios.job_kind import JobKind
from app.scenarios.job_recommendations import RecommendationJobs
from app.scenarios.job_tensors import TensorJobs
from app.scenarios.job_text import TextJobs

_KINDS: Final = (RecommendationJobs(), ImageJobs(), TextJobs(), FraudJobs(), TensorJobs())

JOB_KINDS: Final[Mapping[str, JobKind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""The kinds by name."""


def find_kind(name: str) -> JobKind:
    """Return the kind of that name.

    :raises InvalidFields: naming those there are, when there is none.
    """
    if name not in JOB_KINDS:
        raise InvalidFields({"kind": [f"There is no such kind of job; there are {', '.join(JOB_KINDS)}."]})

    return JOB_KINDS[name]
