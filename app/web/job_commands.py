"""Commands that look at jobs and end them: `flask jobs …`."""

import click
import orjson
from flask import Flask
from flask.cli import AppGroup

from app.db.repositories.jobs import JobFacts, JobFilter, JobState
from app.web.blueprints.jobs.answers import job_members, job_path
from app.web.cli import spoken_errors
from app.web.extensions import services

COLUMNS = ("id", "kind", "state", "done", "failed", "total", "created", "client", "model")

jobs = AppGroup("jobs", help="Jobs of all clients.")


def init_job_commands(app: Flask) -> None:
    """Give `app` its commands about jobs."""
    app.cli.add_command(jobs)


@jobs.command("list")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state.")
@click.option("--client", "client_id", help="Only jobs of this client.")
@click.option("--kind", help="Only jobs of this kind.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="So many, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_jobs(state: str | None, client_id: str | None, kind: str | None, limit: int, as_json: bool) -> None:
    """List jobs, the newest first."""
    wanted = JobFilter(client_id=client_id, state=state, kinds=(kind,) if kind else None)
    with spoken_errors():
        found = services().jobs.page(wanted, limit=limit)
    if as_json:
        for job in found:
            click.echo(_json(_document(job)))
    else:
        click.echo(_table([COLUMNS, *(_cells(job) for job in found)]))


@jobs.command("show")
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_job(job_id: str, as_json: bool) -> None:
    """Show the job JOB_ID, and how many of its chunks are in which state."""
    with spoken_errors():
        document = _document(services().jobs.find(job_id))
        document["chunks"] = services().job_figures.chunks_of(job_id)
    if as_json:
        click.echo(_json(document))
        return

    width = max(map(len, document))
    for name, value in document.items():
        if value not in (None, "", {}):
            click.echo(f"{name:<{width}}  {_text(value)}")


@jobs.command("cancel")
@click.argument("job_id")
def cancel_job(job_id: str) -> None:
    """Cancel the job JOB_ID; what is done of it stays readable."""
    with spoken_errors():
        job = services().jobs.find(job_id)
        if not job.queue:
            instead = f"DELETE {job_path(job_id)} cancels it while it waits"
            raise click.ClickException(f"{job_id} is a {job.kind}; this command cancels jobs over rows. {instead}.")
        if not services().batch_jobs.cancel(job_id):
            raise click.ClickException(f"{job_id} has ended: {services().jobs.find(job_id).state}.")
    click.echo(f"Cancelled {job_id}.")


def _document(job: JobFacts) -> dict[str, object]:
    """Return what clients see of a job, and what only operators do."""
    return {
        **job_members(job),
        "client_id": job.client_id,
        "queue": job.queue,
        "input_format": job.input_format,
        "input_bytes": job.input_bytes,
        "request_id": job.request_id,
        "traceparent": job.traceparent,
        "purged_at": job.purged_at,
    }


def _cells(job: JobFacts) -> tuple[str, ...]:
    total = "?" if job.total is None else str(job.total)
    model = job.model_name if job.version is None else f"{job.model_name}/{job.version}"
    created = f"{job.created_at:%Y-%m-%d %H:%M:%S}Z"
    return job.id, job.kind, job.state.value, str(job.done), str(job.failed), total, created, job.client_id, model


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value).strip('"')


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
