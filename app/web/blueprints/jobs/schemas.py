"""What the routes of jobs take and answer."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.db.repositories.jobs import JobState
from app.services.jobs import TASKS
from app.web.schemas import described

STATES: Final = tuple(state.value for state in JobState)

JOB_EXAMPLE: Final[dict[str, Any]] = {
    "id": "0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11",
    "kind": "verification",
    "state": "succeeded",
    "model": "churn",
    "version": 3,
    "progress": {"stage": "", "done": 0, "failed": 0, "total": None, "rate_per_s": None, "eta_s": None},
    "created_at": "2026-01-31T12:00:00+00:00",
    "started_at": "2026-01-31T12:00:01+00:00",
    "finished_at": "2026-01-31T12:00:09+00:00",
    "links": {
        "self": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11",
        "version": "/api/v1/models/churn/versions/3",
    },
}

QUEUED_EXAMPLE: Final[dict[str, Any]] = {
    **JOB_EXAMPLE,
    "state": "queued",
    "version": None,
    "started_at": None,
    "finished_at": None,
    "links": {"self": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11"},
}

LOCATION_HEADER: Final = {"Location": {"schema": {"type": "string"}, "description": "Where the job can be polled."}}


class JobQuery(Schema):
    """Which jobs to list."""

    state = fields.String(validate=validate.OneOf(STATES), metadata=described("Only jobs in this state."))
    kind = fields.String(validate=validate.OneOf(sorted(TASKS)), metadata=described("Only jobs of this kind."))


class ProgressSchema(Schema):
    """How far a job is. Rows are counted by kinds of jobs that have rows."""

    stage = fields.String(
        required=True, metadata=described("What is being done, or what the job waits for; empty while nothing is.")
    )
    done = fields.Integer(required=True, metadata=described("Rows done, good and bad ones."))
    failed = fields.Integer(required=True, metadata=described("Bad rows among them."))
    total = fields.Integer(required=True, allow_none=True, metadata=described("All rows, once they are counted."))
    rate_per_s = fields.Float(required=True, allow_none=True, metadata=described("Rows per second so far."))
    eta_s = fields.Float(required=True, allow_none=True, metadata=described("Seconds to the end, at that rate."))


class JobErrorSchema(Schema):
    """Why a job failed."""

    code = fields.String(required=True, metadata=described("The kind of failure, for programs."))
    detail = fields.String(required=True, metadata=described("What went wrong, for people."))


class JobLinksSchema(Schema):
    """Where to go on from here."""

    self = fields.String(required=True, metadata=described("The job."))
    version = fields.String(metadata=described("The version that came of it."))


class JobSchema(Schema):
    """A job."""

    id = fields.String(required=True)
    kind = fields.String(required=True, metadata=described("What the job does."))
    state = fields.String(required=True, metadata=described("How far it is.", enum=list(STATES)))
    model = fields.String(required=True, metadata=described("The model it is about."))
    version = fields.Integer(
        required=True, allow_none=True, metadata=described("The version it is about; null until it has a number.")
    )
    progress = fields.Nested(ProgressSchema, required=True)
    created_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    error = fields.Nested(JobErrorSchema, metadata=described("There only when the job failed."))
    links = fields.Nested(JobLinksSchema, required=True)
