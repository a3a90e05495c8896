"""What a poller sees of a job at each point of its life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from app.db.repositories.jobs import JobState
from app.web.blueprints.jobs.answers import job_document, job_members
from tests.factories.jobs import make_job

START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
QUEUED = make_job(
    id="one", kind="verification", state=JobState.QUEUED, model_name="churn", version=None, queue="", created_at=START
)
RUNNING = replace(QUEUED, state=JobState.RUNNING, started_at=START, done=50, failed=2, total=200)
OVER_ROWS = replace(QUEUED, kind="tensor", queue="batch", version=3)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_waiting_job_has_no_speed_and_links_to_itself() -> None:
    members = job_members(QUEUED)

    assert members["progress"] == {
        "stage": "", "done": 0, "failed": 0, "total": None, "rate_per_s": None, "eta_s": None,
    }  # fmt: skip
    assert (members["version"], members["variant"]) == (None, None)
    assert members["links"] == {"self": "/api/v1/jobs/one"}
    assert "error" not in members


def test_running_job_says_when_it_will_end() -> None:
    paced = replace(RUNNING, pace_from=at(2), pace_done=10, progressed_at=at(10))

    progress = job_members(paced)["progress"]

    assert (progress["rate_per_s"], progress["eta_s"]) == (5.0, 30.0)


def test_running_job_without_progress_has_no_speed() -> None:
    paces = [
        RUNNING,
        replace(RUNNING, pace_from=at(10), progressed_at=at(10)),
        replace(RUNNING, pace_from=at(2), pace_done=50, progressed_at=at(10)),
    ]

    progress = [job_members(job)["progress"] for job in paces]
    assert [(one["rate_per_s"], one["eta_s"]) for one in progress] == [(None, None)] * 3


def test_job_over_rows_links_to_what_comes_of_them() -> None:
    for state in JobState:
        members = job_members(replace(OVER_ROWS, state=state, variant="blue", route_revision=7))
        assert members["variant"] == "blue"
        assert members["links"] == {
            "self": "/api/v1/jobs/one",
            "results": "/api/v1/jobs/one/results",
            "errors": "/api/v1/jobs/one/errors",
            "events": "/api/v1/jobs/one/events",
        }


def test_document_is_the_members_as_json() -> None:
    document = orjson.loads(job_document(RUNNING))

    assert document == {
        **job_members(RUNNING), "created_at": "2026-01-31T12:00:00+00:00", "started_at": "2026-01-31T12:00:00+00:00",
    }  # fmt: skip


def test_ended_job_keeps_its_speed_and_links_to_its_version() -> None:
    ended = replace(RUNNING, state=JobState.SUCCEEDED, done=200, finished_at=at(20), version=3)
    members = job_members(ended)

    assert (members["progress"]["rate_per_s"], members["progress"]["eta_s"]) == (10.0, None)
    assert members["links"]["version"] == "/api/v1/models/churn/versions/3"


def test_failed_job_says_why_and_links_to_no_version() -> None:
    failed = replace(QUEUED, state=JobState.FAILED, version=3, error={"code": "sample_mismatch", "detail": "No."})
    members = job_members(failed)

    assert members["error"] == {"code": "sample_mismatch", "detail": "No."}
    assert list(members["links"]) == ["self"]
