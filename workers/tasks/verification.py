"""Verification: an upload is proven apart from everything else, and becomes a version."""

from functools import partial
from pathlib import Path
from typing import Final

from app.db.repositories.jobs import JobFacts
from app.infra.broker import VISIBILITY_TIMEOUT_S
from app.infra.log_context import follow_request
from app.infra.task_names import TaskName
from app.services.job_lease import HeldJob, holding
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef
from workers.bootstrap import WorkerParts
from workers.tasks.base import GalleyTask, galley_task
from workers.verification.limits import VerificationLimits
from workers.verification.verify import verify_isolated

# Its message comes again after the visibility timeout: a run must have ended by then. What verification itself
# allows (VERIFICATION_WALL_S) is far less.
LONGEST_S: Final = VISIBILITY_TIMEOUT_S - 60


@galley_task(TaskName.VERIFY_VERSION, time_limit=LONGEST_S)
def verify_version(self: GalleyTask, job_id: str) -> str:
    """Run a job of kind `verification`; return what became of it.

    It may be sent any number of times: a job that another worker has, or that has ended, is left alone.
    """
    parts = self.parts
    job = parts.jobs.claim(job_id)
    if job is None:
        return "another worker's, or ended"

    follow_request(job.request_id, job.traceparent, job=job.id, attempt=job.attempt)
    with holding(parts.jobs, job) as held:
        ref = _publish(parts, held)
        held.succeed(result={"version": ref.version}, version=ref.version)
    return _tidy_up(parts, job)


def _publish(parts: WorkerParts, held: HeldJob) -> ModelRef:
    """Prove the job's upload and release it, unless an earlier attempt did, whose worker was lost before it said so."""
    job = held.facts
    wishes = {"by": job.client_id, "alias": job.parameters["alias"], "pin": job.parameters["pin"]}
    if job.attempt > 1:
        published = parts.releases.resume(job.id, job.model_name, **wishes)
        if published is not None:
            return published

    draft = parts.publishing.draft(job)
    held.note_stage("staging")
    return parts.releases.release(draft, prove=partial(_prove, parts, held), **wishes)


def _prove(parts: WorkerParts, held: HeldJob, folder: Path) -> Manifest:
    limits = VerificationLimits.of(parts.settings)
    verdict = verify_isolated(folder, limits=limits, report=held.note_stage)
    # The last moment to find out that another worker has the job.
    held.note_stage("publishing")
    return verdict.manifest


def _tidy_up(parts: WorkerParts, job: JobFacts) -> str:
    if job.id in parts.jobs.unfinished_ids():
        return "another worker's, or waits"

    parts.publishing.forget(job.id)
    return "ended"
