"""Jobs, for the clients that posted them, and for admins."""

from typing import Any

from flask import Response, request
from flask_smorest.pagination import PaginationParameters

from app.errors import (
    DiskFull,
    EmptyBody,
    InvalidFields,
    JobNotFound,
    JobRunning,
    KeyReused,
    ModelNotAllowed,
    ModelNotFound,
    ModelUnloaded,
    PreconditionFailed,
    StoreUnreachable,
    TooManyJobs,
    TooManyUploads,
    UnsupportedMediaType,
    VersionNotFound,
    WrongTask,
)
from app.infra.off_hub import off_hub
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import current_identity, requires
from app.web.blueprints.jobs.answers import JOBS_PATH, job_members
from app.web.blueprints.jobs.docs import ACCEPTED_HEADERS, ETAG_HEADERS, KEY_PARAMETER, REQUEST_BODY
from app.web.blueprints.jobs.polls import answer_poll
from app.web.blueprints.jobs.schemas import JOB_EXAMPLE, SUBMITTED_EXAMPLE, JobQuery, JobSchema
from app.web.blueprints.jobs.submission import submit_job
from app.web.blueprints.jobs.visibility import ENDERS, READERS, find_endable, visible_to
from app.web.body import BODY_PROBLEMS, takes_job_inputs
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("jobs", __name__, url_prefix=JOBS_PATH, description="Work that callers poll")

SUBMISSION_PROBLEMS = (
    *BODY_PROBLEMS,
    EmptyBody,
    UnsupportedMediaType,
    InvalidFields,
    KeyReused,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
    ModelUnloaded,
    WrongTask,
    TooManyJobs,
    TooManyUploads,
    DiskFull,
    StoreUnreachable,
)


@blp.route("")
@problems(InvalidFields)
@requires(*READERS)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(JobQuery(), location="query")
@blp.etag
@blp.response(200, JobSchema(many=True), example=[JOB_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def list_jobs(query: dict[str, Any], pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """List this client's jobs, the newest first.

    Admins see the jobs of all clients. With `models:read` or `models:write` alone only verifications are listed, with
    `infer` alone only jobs over rows.
    """
    jobs, wanted = services().jobs, visible_to(current_identity(), **query)
    pagination_parameters.item_count = jobs.count(wanted)
    if pagination_parameters.first_item >= pagination_parameters.item_count:
        # Not asked of SQL, which counts to 2**63 only.
        return []

    page = jobs.page(wanted, offset=pagination_parameters.first_item, limit=pagination_parameters.page_size)
    return [job_members(job) for job in page]


@blp.route("", methods=["POST"])
@problems(*SUBMISSION_PROBLEMS)
@requires(Scope.JOBS)
@limited(LimitClass.MANAGEMENT)
@takes_job_inputs
@blp.doc(requestBody=REQUEST_BODY, parameters=[KEY_PARAMETER])
@blp.response(202, JobSchema, example=SUBMITTED_EXAMPLE, headers=ACCEPTED_HEADERS)
def post_job() -> Response:
    """Submit a job over rows, as JSON or as a form with a file.

    A row is the body of the kind's single call. The version that answers all rows is looked up now. Follow the job at
    its address: bad rows are set aside, the others go on. Send an `Idempotency-Key` to be able to send again.
    """
    return submit_job().response()


@blp.route("/<job_id>")
@problems(JobNotFound, PreconditionFailed)
@requires(*READERS)
@limited(LimitClass.MANAGEMENT)
@blp.doc(responses={"304": {"$ref": "#/components/responses/NOT_MODIFIED"}})
@blp.response(200, JobSchema, example=JOB_EXAMPLE, headers=ETAG_HEADERS)
def show_job(job_id: str) -> Response:
    """Show a job: its state, its progress, and its error or what came of it.

    Poll it with `If-None-Match`: an answer that did not change is a 304 without a body.
    """
    return answer_poll(services(), current_identity(), job_id, request.environ).response()


@blp.route("/<job_id>", methods=["DELETE"])
@problems(JobNotFound, JobRunning)
@requires(*ENDERS)
@limited(LimitClass.MANAGEMENT)
@blp.response(204)
def delete_job(job_id: str) -> None:
    """Cancel a job that has not ended, or delete one that has, with its results.

    A cancelled job is kept, in that state and with what was done, until it is deleted too. One that verifies a version
    can be cancelled only while it waits; a version that came of it stays. A job over rows that ends just then is kept.
    """
    job = find_endable(job_id)
    if not job.queue:
        services().publishing.forget(services().jobs.delete(job.id).id)
    elif not job.state.is_final:
        # One that has ended since stays, with its results: whoever saw it run did not ask for their deletion.
        services().batch_jobs.cancel(job.id)
    else:
        # The row first: what remains of the files has no job then, and is swept.
        services().jobs.delete(job.id)
        off_hub(services().job_files.delete, job.id)
