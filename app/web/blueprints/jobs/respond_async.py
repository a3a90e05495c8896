"""Single inferences that nobody waits for: the request becomes a job, because its caller or its model wants that."""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from app.db.repositories.job_chunks import ChunkDraft
from app.errors import DiskFull, HeavyModel, KeyReused, StoreUnreachable, TooManyJobs
from app.infra.disk import disk_errors
from app.infra.job_files import INPUT
from app.infra.off_hub import off_hub
from app.infra.task_names import QueueName
from app.scenarios.job_inputs import InputFormat
from app.services.jobs import new_job_id
from app.web.answers import Answer
from app.web.blueprints.jobs.intake import KEY_VARIABLE, InputContent, JobIntake, StoredInput, idempotency_key
from app.web.blueprints.jobs.requests import JobRequest
from app.web.inference import InferenceCall

PREFER_VARIABLE: Final = "HTTP_PREFER"
RESPOND_ASYNC: Final = "respond-async"
APPLIED_HEADER: Final = "Preference-Applied"

ASYNC_PROBLEMS: Final = (KeyReused, TooManyJobs, DiskFull, StoreUnreachable)
"""What a route may answer besides its inference's own failures, because its requests may become jobs."""


@dataclass(frozen=True, kw_only=True)
class SingleCall:
    """A request of a scenario as a job has it: what is asked of which model, and the body, or the bodies, of its rows.

    `about` is whom the input is about: a route chooses by it, as it does when the caller waits.
    """

    request: JobRequest
    bodies: Sequence[bytes]
    about: str = ""


def answer_or_post(call: InferenceCall, answer: Callable[[], Answer], single: Callable[[], SingleCall]) -> Answer:
    """Answer now, or with a job of `single` where the caller prefers that, or the model is heavy.

    Who sends the key of such a job again gets that job, whatever has become of the model since.

    :raises GalleyError: whatever `answer` raises, or the reason for which there is no job.
    """
    if prefers_async(call.environ):
        job = _post(call, single())
        return replace(job, headers={**job.headers, APPLIED_HEADER: RESPOND_ASYNC})
    if KEY_VARIABLE in call.environ and (replayed := _replay(call, single())) is not None:
        return replayed
    try:
        return answer()
    except HeavyModel:
        return _post(call, single())


def prefers_async(environ: Mapping[str, Any]) -> bool:
    """Say whether a request prefers not to wait (RFC 7240); for how long it would is not asked."""
    preferences = environ.get(PREFER_VARIABLE, "").split(",")
    return any(one.partition(";")[0].partition("=")[0].strip().lower() == RESPOND_ASYNC for one in preferences)


def _intake(call: InferenceCall) -> JobIntake:
    # Only routes that ask for a token have inferences.
    assert call.identity is not None
    return JobIntake(call.services, call.identity, idempotency_key(call.environ.get(KEY_VARIABLE)))


def _replay(call: InferenceCall, single: SingleCall) -> Answer | None:
    """Answer with the job that the same request made before, if there is one; else its key means nothing yet."""
    intake = _intake(call)
    if not intake.has_job():
        return None

    return intake.replay(single.request, off_hub(_content, single.bodies)[1])


def _post(call: InferenceCall, single: SingleCall) -> Answer:
    intake = _intake(call)
    intake.check(sum(map(len, single.bodies)))
    job_id = new_job_id()
    with call.services.job_files.receiving(job_id) as folder, disk_errors():
        stored = off_hub(_store, folder, single.bodies)
        if (replayed := intake.replay(single.request, stored)) is not None:
            return replayed

        target = intake.target(single.request, call.subject or single.about)
        return intake.submit(job_id, target, stored, queue=QueueName.HEAVY)


def _store(folder: Path, bodies: Sequence[bytes]) -> StoredInput:
    content, about = _content(bodies)
    path = folder / INPUT
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return StoredInput(
        path=path,
        input_format=about.input_format,
        sha256=about.sha256,
        size_bytes=len(content),
        chunks=[ChunkDraft(first_row=1, row_count=1, place={})] if about.input_format is InputFormat.RAW else (),
    )


def _content(bodies: Sequence[bytes]) -> tuple[bytes, InputContent]:
    """Return the rows as a file: one is the body as it came, and needs no plan; several are files of an archive."""
    is_single = len(bodies) == 1
    content = bodies[0] if is_single else _archive(bodies)
    input_format = InputFormat.RAW if is_single else InputFormat.TAR
    return content, InputContent(input_format=input_format, sha256=hashlib.sha256(content).hexdigest())


def _archive(bodies: Sequence[bytes]) -> bytes:
    """Return a tar whose files are named by their place, from 1 on: the same one of the same bodies."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number, body in enumerate(bodies, 1):
            member = tarfile.TarInfo(str(number))
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return archive.getvalue()
