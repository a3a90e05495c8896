"""What a poller sees of a job at each point of its life."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.db.repositories.jobs import JobFacts, JobState
from app.web.blueprints.jobs.answers import job_members

START = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
QUEUED = JobFacts(
    id="one",
    kind="verification",
    state=JobState.QUEUED,
    client_id="checkout",
    model_name="churn",
    version=None,
    parameters={},
    created_at=START,
)
RUNNING = replace(QUEUED, state=JobState.RUNNING, started_at=START, done=50, failed=2, total=200)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_waiting_job_has_no_speed_and_links_to_itself() -> None:
    members = job_members(QUEUED, at(10))

    assert members["progress"] == {
        "stage": "", "done": 0, "failed": 0, "total": None, "rate_per_s": None, "eta_s": None,
    }  # fmt: skip
    assert members["links"] == {"self": "/api/v1/jobs/one"}
    assert "error" not in members


def test_running_job_says_when_it_will_end() -> None:
    progress = job_members(RUNNING, at(10))["progress"]

    assert (progress["rate_per_s"], progress["eta_s"]) == (5.0, 30.0)


def test_ended_job_keeps_its_speed_and_links_to_its_version() -> None:
    ended = replace(RUNNING, state=JobState.SUCCEEDED, done=200, finished_at=at(20), version=3)
    members = job_members(ended, at(1000))

    assert (members["progress"]["rate_per_s"], members["progress"]["eta_s"]) == (10.0, None)
    assert members["links"]["version"] == "/api/v1/models/churn/versions/3"


def test_failed_job_says_why_and_links_to_no_version() -> None:
    failed = replace(QUEUED, state=JobState.FAILED, version=3, error={"code": "sample_mismatch", "detail": "No."})
    members = job_members(failed, at(1))

    assert members["error"] == {"code": "sample_mismatch", "detail": "No."}
    assert list(members["links"]) == ["self"]
