"""Which jobs a caller may see and end: its own, admins all, and those of the kinds that its scopes are about."""

from app.db.repositories.jobs import JobFacts, JobFilter
from app.scenarios.job_kinds import JOB_KINDS
from app.services.jobs import VERIFICATION
from app.services.scopes import Scope
from app.services.tokens import Identity
from app.web.auth import current_identity
from app.web.extensions import services

READERS = (Scope.JOBS, Scope.INFER, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.ADMIN)
"""Any of these scopes lets its holder see jobs."""
ENDERS = (Scope.JOBS, Scope.INFER, Scope.MODELS_WRITE, Scope.ADMIN)
"""Any of these lets its holder end some of those that it sees."""

_ALL_KINDS = frozenset({Scope.JOBS, Scope.ADMIN})


def visible_to(identity: Identity, state: str | None = None, kind: str | None = None) -> JobFilter:
    """Return which jobs a caller may see.

    With scope `infer` alone those over rows, since an inference may have become one; with the scopes of models alone
    verifications: whoever reads or writes models follows what becomes of them.
    """
    return _jobs_of(identity, Scope.MODELS_READ, Scope.MODELS_WRITE, state=state, kind=kind)


def find_visible(job_id: str) -> JobFacts:
    """Return a job that the caller may see.

    :raises JobNotFound: otherwise.
    """
    return services().jobs.find(job_id, visible_to(current_identity()))


def find_endable(job_id: str) -> JobFacts:
    """Return a job that the caller may cancel or delete: no verification, if it only reads models.

    :raises JobNotFound: otherwise.
    """
    return services().jobs.find(job_id, _jobs_of(current_identity(), Scope.MODELS_WRITE))


def _jobs_of(identity: Identity, *verifiers: Scope, state: str | None = None, kind: str | None = None) -> JobFilter:
    kinds = _kinds(identity.scopes, frozenset(verifiers))
    if kind is not None:
        kinds = (kind,) if kinds is None or kind in kinds else ()
    return JobFilter(client_id=None if Scope.ADMIN in identity.scopes else identity.client_id, state=state, kinds=kinds)


def _kinds(scopes: frozenset[str], verifiers: frozenset[str]) -> tuple[str, ...] | None:
    if scopes & _ALL_KINDS:
        return None

    rows = tuple(JOB_KINDS) if Scope.INFER in scopes else ()
    return (*rows, VERIFICATION) if scopes & verifiers else rows
