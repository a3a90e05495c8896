"""Taking jobs over rows in: what they ask is looked up once, their input becomes theirs, and they are recorded."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from app.db.repositories.job_chunks import ChunkDraft
from app.db.repositories.jobs import JobFacts
from app.errors import InvalidFields, KeyReused, ModelNotAllowed, RevokedToken, TooManyJobs, WrongTask
from app.infra.job_files import INPUT
from app.infra.off_hub import off_hub
from app.infra.task_names import QueueName
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import JobKind
from app.services.batch_jobs import JobSubmission
from app.services.routing import Resolved
from app.services.tokens import Identity
from app.web.answers import Answer
from app.web.blueprints.jobs.answers import job_document, job_path
from app.web.blueprints.jobs.formats import INPUT_PART
from app.web.blueprints.jobs.requests import JobRequest
from app.web.extensions import Services

KEY_HEADER: Final = "Idempotency-Key"
KEY_VARIABLE: Final = "HTTP_IDEMPOTENCY_KEY"
VARIANT_HEADER: Final = "X-Variant"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
LONGEST_KEY: Final = 255


@dataclass(frozen=True, kw_only=True)
class InputContent:
    """What an input is, wherever it lies: its format, and the digest of its bytes."""

    input_format: InputFormat
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StoredInput(InputContent):
    """An input that lies on this machine and is to become a job's; `chunks` where there is nothing to plan."""

    path: Path
    size_bytes: int
    chunks: Sequence[ChunkDraft] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a request for a job comes to: its kind, and the version that answers all of its rows."""

    request: JobRequest
    kind: JobKind
    resolved: Resolved

    @property
    def is_heavy(self) -> bool:
        """Whether the version is one that no runner is kept for."""
        return self.resolved.facts.execution == "heavy"


class JobIntake:
    """Takes the jobs of one caller in. `key` is what the caller calls the request by, to send it again."""

    def __init__(self, services: Services, identity: Identity, key: str | None) -> None:
        self._services = services
        self._identity = identity
        self._key = key

    def check(self, size_bytes: int) -> None:
        """Refuse what could not be taken in, before it is read.

        Who sends the key of a job that is there gets that job, and needs no room for another.

        :raises TooManyJobs: when the caller has as many open jobs as it may have.
        :raises DiskFull: when there is no room for so many bytes.
        """
        if self.has_job():
            return

        self._services.batch_jobs.check_may_submit(self._identity.client_id)
        self._services.job_room.check(size_bytes)

    def has_job(self) -> bool:
        """Whether there is a job that the caller made by the key, by the same request or another."""
        return self._key is not None and self._services.batch_jobs.has_key(self._identity.client_id, self._key)

    def replay(self, request: JobRequest, content: InputContent) -> Answer | None:
        """Answer with the job that the caller made by the same request before; None when there is none.

        Ask before what the request asks for is looked up: that may be gone, and the job has it all the same.

        :raises KeyReused: when the caller sent another request by this key before.
        """
        if self._key is None:
            return None

        client_id, fingerprint = self._identity.client_id, _fingerprint(request, content)
        job = self._services.batch_jobs.earlier(client_id, self._key, fingerprint)
        return None if job is None else _accepted(job, is_replayed=True)

    def target(self, request: JobRequest, subject: str = "") -> Target:
        """Look up what a request asks for.

        :raises InvalidFields: naming what is wrong with it.
        :raises ModelNotAllowed: when the caller is bound to other models.
        :raises NotFoundError: when there is no such model or version.
        :raises ModelUnloaded: when somebody unloaded the version.
        :raises WrongTask: when the model does something else.
        """
        kind = request.checked_kind()
        name = request.model or kind.default_model(self._services.settings)
        if name is None:
            raise InvalidFields({"model": [f"Jobs of the kind {kind.name} name their model."]})
        if not self._identity.may_use(name):
            raise ModelNotAllowed(name)

        client_id = self._identity.client_id
        resolved = self._services.routing.resolve(name, request.version, subject=subject, client_id=client_id)
        if kind.task is not None and resolved.facts.task != kind.task:
            raise WrongTask(name, resolved.facts.task, kind.task)
        return Target(request=request, kind=kind, resolved=resolved)

    def submit(self, job_id: str, target: Target, stored: StoredInput, *, queue: QueueName) -> Answer:
        """Make an input a job, and answer with it; with the earlier one if the caller sent the same before.

        :raises InvalidFields: when the kind does not read such an input, or not with such parameters.
        :raises KeyReused: when the caller sent another request by this key before.
        :raises TooManyJobs: when the caller has as many open jobs as it may have.
        :raises RevokedToken: when the caller was deleted while it sent the input.
        """
        submission = self._submission(job_id, target, stored, queue=queue)
        files = self._services.job_files
        files.take_in(job_id, INPUT, stored.path)
        try:
            job, is_replayed = self._services.batch_jobs.submit(submission)
        except (KeyReused, TooManyJobs, RevokedToken):
            # After any other failure nobody knows whether the job was recorded: the sweep takes what no job has.
            off_hub(files.delete, job_id)
            raise

        if is_replayed:
            off_hub(files.delete, job_id)
        return _accepted(job, is_replayed=is_replayed)

    def _submission(self, job_id: str, target: Target, stored: StoredInput, *, queue: QueueName) -> JobSubmission:
        kind, request = target.kind, target.request
        if stored.input_format not in kind.formats:
            formats = ", ".join(sorted(kind.formats - {InputFormat.RAW}))
            raise InvalidFields({INPUT_PART: [f"Jobs of the kind {kind.name} read {formats}."]})

        return JobSubmission(
            id=job_id,
            kind=kind.name,
            client_id=self._identity.client_id,
            model_name=target.resolved.ref.name,
            version=target.resolved.ref.version,
            queue=queue,
            input_format=stored.input_format.value,
            input_bytes=stored.size_bytes,
            parameters=kind.read_parameters(request.kind_parameters()),
            max_error_share=request.max_error_share(),
            idempotency_key=self._key,
            fingerprint=_fingerprint(request, stored),
            chunks=stored.chunks,
            variant=target.resolved.variant,
            route_revision=target.resolved.revision,
            is_ordered=kind.is_ordered,
            token_issued_at=self._identity.issued_at,
        )


def idempotency_key(header: str | None) -> str | None:
    """Return the key that a request's header gives it, None without one.

    :raises InvalidFields: unless it is 1 to 255 printable ASCII characters.
    """
    if header is None:
        return None
    if not 1 <= len(header) <= LONGEST_KEY or not header.isascii() or not header.isprintable():
        raise InvalidFields({KEY_HEADER: [f"Send 1 to {LONGEST_KEY} printable ASCII characters."]})

    return header


def _fingerprint(request: JobRequest, content: InputContent) -> str:
    """Tell two requests apart by what was asked: what it was looked up as may have moved in between."""
    asked = b"\n".join([request.canonical(), content.input_format.value.encode(), content.sha256.encode()])
    return hashlib.sha256(asked).hexdigest()


def _accepted(job: JobFacts, *, is_replayed: bool) -> Answer:
    headers = {"Location": job_path(job.id)}
    if job.variant is not None:
        headers[VARIANT_HEADER] = job.variant
    if is_replayed:
        headers[REPLAYED_HEADER] = "true"
    return Answer(job_document(job), headers=headers, status=HTTPStatus.ACCEPTED)
