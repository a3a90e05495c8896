"""Jobs as clients post them, and what a web worker took in of them."""

from typing import Any

import orjson
from flask.testing import FlaskClient

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts
from app.infra.job_files import INPUT, MARK
from app.infra.task_names import QueueName
from app.services.chunk_queue import ChunkOutcome, ChunkQueue, HeldChunk
from tests.factories.uploads import form_body
from tests.factories.web import WebWorker

JOBS = "/api/v1/jobs"
ROWS: list[dict[str, Any]] = [{"user_id": 1, "k": 2}, {"user_id": 2}]
LINES = b'{"user_id":1,"k":2}\n{"user_id":2}\n'


def json_body(**changes: Any) -> dict[str, Any]:
    """Return the arguments of a test client's call that post a job as JSON; None takes a member away."""
    members = {"kind": "recommendations", "inputs": ROWS, **changes}
    present = {name: value for name, value in members.items() if value is not None}
    return {"data": orjson.dumps(present), "content_type": "application/json"}


def file_body(
    content: bytes = LINES, *, name: str = "rows.ndjson", kind: str = "recommendations", **texts: bytes
) -> dict[str, Any]:
    """Return the arguments of a test client's call that upload a job's input; `texts` are further parts."""
    parts = [(part, (None, text)) for part, text in {"kind": kind.encode(), **texts}.items()]
    return form_body([*parts, ("input", (name, content))])


def job_of(worker: WebWorker, response: Any) -> JobFacts:
    """Return the job that an answer tells of."""
    return worker.services.jobs.find(response.json["id"])


def input_of(worker: WebWorker, job_id: str) -> bytes:
    """Return the input of a job, as workers read it."""
    with worker.services.job_files.reader(job_id, INPUT) as file:
        return file.read()


def kept_files(worker: WebWorker) -> list[str]:
    """Return all files of jobs, received ones too."""
    folder = worker.services.settings.var_dir / "jobs"
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MARK
    )


def plan_chunks(worker: WebWorker, job_id: str, *, rows: int, count: int) -> None:
    """Plan a job as `count` chunks of so many rows, as a worker does."""
    held = worker.services.jobs.claim(job_id)
    assert held is not None
    drafts = [ChunkDraft(first_row=1 + rows * number, row_count=rows, place={}) for number in range(count)]
    assert worker.services.batch_jobs.save_plan(held, drafts)


def planned_job(worker: WebWorker, client: FlaskClient, headers: dict[str, str], *, rows: int, count: int) -> str:
    """Post a job, and plan it as `count` chunks of so many rows; return its id."""
    job_id: str = client.post(JOBS, headers=headers, **json_body()).json["id"]
    plan_chunks(worker, job_id, rows=rows, count=count)
    return job_id


def write_chunks(worker: WebWorker, job_id: str, *chunks: bytes, errors: bytes = b"", rows: int = 1) -> None:
    """Have chunks of a planned job done in their order, with these lines as results; `errors` are those of the last."""
    queue = ChunkQueue(worker.services.database, lease_s=60)
    for number, results in enumerate(chunks, 1):
        is_last = number == len(chunks)
        held = queue.claim(QueueName.BATCH)
        assert held is not None
        assert held.job.id == job_id
        outcome = ChunkOutcome(
            done=rows,
            failed=0,
            results=_write(worker, held, "results", results),
            errors=_write(worker, held, "errors", errors if is_last else b""),
        )
        assert queue.commit(held, outcome)


def _write(worker: WebWorker, held: HeldChunk, folder: str, lines: bytes) -> str:
    name = f"{folder}/{held.facts.number:06}.{held.facts.attempt}.ndjson"
    if not lines:
        return ""

    with worker.services.job_files.writer(held.job.id, name) as file:
        file.write(lines)
    return name
