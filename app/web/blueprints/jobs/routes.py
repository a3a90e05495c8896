"""Jobs, for the clients that posted them, and for admins."""

from datetime import UTC, datetime
from typing import Any

from flask_smorest.pagination import PaginationParameters

from app.db.repositories.jobs import JobFilter
from app.errors import InvalidFields, JobNotFound, JobRunning
from app.services.jobs import VERIFICATION
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import current_identity, requires
from app.web.blueprints.jobs.answers import JOBS_PATH, job_members
from app.web.blueprints.jobs.schemas import JOB_EXAMPLE, JobQuery, JobSchema
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("jobs", __name__, url_prefix=JOBS_PATH, description="Work that callers poll")

ALL_KINDS_SCOPES = frozenset({Scope.JOBS, Scope.ADMIN})


def visible_jobs(state: str | None = None, kind: str | None = None) -> JobFilter:
    """Return which jobs the caller may see: its own, admins all.

    Without scope `jobs` or `admin` only verifications: whoever reads or writes models follows what becomes of them.
    """
    identity = current_identity()
    kinds: tuple[str, ...] | None = None if identity.scopes & ALL_KINDS_SCOPES else (VERIFICATION,)
    if kind is not None:
        kinds = (kind,) if kinds is None or kind in kinds else ()
    return JobFilter(client_id=None if Scope.ADMIN in identity.scopes else identity.client_id, state=state, kinds=kinds)


@blp.route("")
@problems(InvalidFields)
@requires(Scope.JOBS, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.ADMIN)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(JobQuery(), location="query")
@blp.response(200, JobSchema(many=True), example=[JOB_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def list_jobs(query: dict[str, Any], pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """List this client's jobs, the newest first.

    Admins see the jobs of all clients. With `models:read` or `models:write` alone only verifications are listed.
    """
    jobs, wanted = services().jobs, visible_jobs(**query)
    pagination_parameters.item_count = jobs.count(wanted)
    if pagination_parameters.first_item >= pagination_parameters.item_count:
        # Not asked of SQL, which counts to 2**63 only.
        return []

    page = jobs.page(wanted, offset=pagination_parameters.first_item, limit=pagination_parameters.page_size)
    now = datetime.now(UTC)
    return [job_members(job, now) for job in page]


@blp.route("/<job_id>")
@problems(JobNotFound)
@requires(Scope.JOBS, Scope.MODELS_READ, Scope.MODELS_WRITE, Scope.ADMIN)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, JobSchema, example=JOB_EXAMPLE)
def show_job(job_id: str) -> dict[str, Any]:
    """Show a job: its state, its progress, and its error or what came of it.

    Poll it with `If-None-Match`: an answer that did not change is a 304 without a body.
    """
    return job_members(services().jobs.find(job_id, visible_jobs()), datetime.now(UTC))


@blp.route("/<job_id>", methods=["DELETE"])
@problems(JobNotFound, JobRunning)
@requires(Scope.JOBS, Scope.MODELS_WRITE, Scope.ADMIN)
@limited(LimitClass.MANAGEMENT)
@blp.response(204)
def delete_job(job_id: str) -> None:
    """Cancel a job that waits, or delete one that has ended.

    A cancelled job is kept, in that state, until it is deleted too. A version that came of a job stays.
    """
    services().jobs.find(job_id, visible_jobs())
    services().publishing.forget(services().jobs.delete(job_id).id)
