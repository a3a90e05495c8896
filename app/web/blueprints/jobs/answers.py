"""From a job to the members of its document."""

from datetime import datetime
from typing import Any

from app.db.repositories.jobs import JobFacts, JobState

JOBS_PATH = "/api/v1/jobs"


def job_path(job_id: str) -> str:
    """Return where a job can be polled."""
    return f"{JOBS_PATH}/{job_id}"


def job_members(job: JobFacts, now: datetime) -> dict[str, Any]:
    """Return the document of a job, with its speed as of `now` while it runs."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "model": job.model_name,
        "version": job.version,
        "progress": _progress(job, now),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        **({"error": job.error} if job.error else {}),
        "links": _links(job),
    }


def _progress(job: JobFacts, now: datetime) -> dict[str, Any]:
    rate_per_s = _rate_per_s(job, now)
    left = None if job.total is None else job.total - job.done
    eta_s = left / rate_per_s if left is not None and rate_per_s and not job.state.is_final else None
    return {
        "stage": job.stage,
        "done": job.done,
        "failed": job.failed,
        "total": job.total,
        "rate_per_s": rate_per_s,
        "eta_s": eta_s,
    }


def _rate_per_s(job: JobFacts, now: datetime) -> float | None:
    """Return the rows per second since a worker first took the job; None before one did, and where none are counted."""
    if job.started_at is None or not job.done:
        return None

    seconds = ((job.finished_at or now) - job.started_at).total_seconds()
    return round(job.done / seconds, 3) if seconds > 0 else None


def _links(job: JobFacts) -> dict[str, str]:
    links = {"self": job_path(job.id)}
    if job.state == JobState.SUCCEEDED and job.version is not None:
        links["version"] = f"/api/v1/models/{job.model_name}/versions/{job.version}"
    return links
