"""What the routes of jobs take and answer."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from app.db.repositories.jobs import JobState
from app.scenarios.job_kinds import JOB_KINDS
from app.services.jobs import TASKS
from app.web.schemas import described

STATES: Final = tuple(state.value for state in JobState)
KINDS: Final = (*sorted(JOB_KINDS), *sorted(TASKS))

NDJSON: Final = "ndjson"
CSV: Final = "csv"

JOB_EXAMPLE: Final[dict[str, Any]] = {
    "id": "0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11",
    "kind": "verification",
    "state": "succeeded",
    "model": "churn",
    "version": 3,
    "variant": None,
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

SUBMITTED_EXAMPLE: Final[dict[str, Any]] = {
    **QUEUED_EXAMPLE,
    "kind": "recommendations",
    "model": "recommender",
    "version": 1,
    "links": {
        "self": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11",
        "results": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11/results",
        "errors": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11/errors",
        "events": "/api/v1/jobs/0b5c5f0ab1e94e0b8e5d3f1f4f0e7a11/events",
    },
}

LOCATION_HEADER: Final = {"Location": {"schema": {"type": "string"}, "description": "Where the job can be polled."}}


class JobQuery(Schema):
    """Which jobs to list."""

    state = fields.String(validate=validate.OneOf(STATES), metadata=described("Only jobs in this state."))
    kind = fields.String(validate=validate.OneOf(KINDS), metadata=described("Only jobs of this kind."))


class ErrorsQuery(Schema):
    """Where to begin to read."""

    from_row = fields.Integer(
        load_default=1,
        validate=validate.Range(min=1, max=2**63 - 1),
        metadata=described("Leave out the rows before this one; the first is 1."),
    )


class ResultsQuery(ErrorsQuery):
    """How to read results, and from where on."""

    format = fields.String(
        load_default=NDJSON,
        validate=validate.OneOf((NDJSON, CSV)),
        metadata=described("NDJSON has each answer as the single call gives it; CSV has its members as columns."),
    )


class ProgressSchema(Schema):
    """How far a job is. Rows are counted by kinds of jobs that have rows."""

    stage = fields.String(
        required=True, metadata=described("What is being done, or what the job waits for; empty while nothing is.")
    )
    done = fields.Integer(required=True, metadata=described("Rows done, good and bad ones."))
    failed = fields.Integer(required=True, metadata=described("Bad rows among them."))
    total = fields.Integer(required=True, allow_none=True, metadata=described("All rows, once they are counted."))
    rate_per_s = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Rows per second: of late while it runs, in all when it ended."),
    )
    eta_s = fields.Float(required=True, allow_none=True, metadata=described("Seconds to the end, at that rate."))


class JobErrorSchema(Schema):
    """Why a job failed."""

    code = fields.String(required=True, metadata=described("The kind of failure, for programs."))
    detail = fields.String(required=True, metadata=described("What went wrong, for people."))


class JobLinksSchema(Schema):
    """Where to go on from here."""

    self = fields.String(required=True, metadata=described("The job."))
    results = fields.String(metadata=described("The answers to its rows, also while it runs."))
    errors = fields.String(metadata=described("Its bad rows, and why, also while it runs."))
    events = fields.String(metadata=described("Its progress as server-sent events."))
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
    variant = fields.String(
        required=True,
        allow_none=True,
        metadata=described("The variant by which the model's route chose the version; null when no route chose."),
    )
    progress = fields.Nested(ProgressSchema, required=True)
    created_at = fields.AwareDateTime(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)
    error = fields.Nested(JobErrorSchema, metadata=described("There only when the job failed."))
    links = fields.Nested(JobLinksSchema, required=True)
