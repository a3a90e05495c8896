"""From a job to the members of its document."""

from datetime import datetime
from typing import Any, Final

import orjson

from app.db.repositories.jobs import JobFacts, JobState

JOBS_PATH: Final = "/api/v1/jobs"
ROW_LINKS: Final = ("results", "errors", "events")
"""What a job over rows has besides itself."""


def job_path(job_id: str) -> str:
    """Return where a job can be polled."""
    return f"{JOBS_PATH}/{job_id}"


def job_members(job: JobFacts) -> dict[str, Any]:
    """Return the document of a job: the same for as long as nothing is recorded of it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "model": job.model_name,
        "version": job.version,
        "variant": job.variant,
        "progress": _progress(job),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        **({"error": job.error} if job.error else {}),
        "links": _links(job),
    }


def job_document(job: JobFacts) -> bytes:
    """Return the document of a job as JSON; straight, since it is asked for again and again."""
    return orjson.dumps(job_members(job))


def _progress(job: JobFacts) -> dict[str, Any]:
    rate_per_s = _rate_per_s(job)
    left = None if job.total is None else job.total - job.done
    eta_s = round(left / rate_per_s, 1) if left is not None and rate_per_s and not job.state.is_final else None
    return {
        "stage": job.stage,
        "done": job.done,
        "failed": job.failed,
        "total": job.total,
        "rate_per_s": rate_per_s,
        "eta_s": eta_s,
    }


def _rate_per_s(job: JobFacts) -> float | None:
    """Return the rows per second: at the last progress while it runs, on the average when it has ended.

    None before there was any, and where no rows are counted.
    """
    if job.state.is_final:
        return _rate(job.done, job.started_at, job.finished_at)

    return _rate(job.done - job.pace_done, job.pace_from, job.progressed_at)


def _rate(rows: int, begin: datetime | None, end: datetime | None) -> float | None:
    if not rows or begin is None or end is None or end <= begin:
        return None

    return round(rows / (end - begin).total_seconds(), 3)


def _links(job: JobFacts) -> dict[str, str]:
    links = {"self": job_path(job.id)}
    if job.queue:
        links |= {name: f"{links['self']}/{name}" for name in ROW_LINKS}
    if job.state == JobState.SUCCEEDED and job.version is not None and not job.queue:
        links["version"] = f"/api/v1/models/{job.model_name}/versions/{job.version}"
    return links
