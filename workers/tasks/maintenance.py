"""Upkeep: what nobody asks for, and what would pile up or rot without it."""

from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Gauge

from app.errors import StoreError, StoreUnreachable, VersionNotFound
from app.infra.metric_forgetting import forget_versions
from app.infra.task_names import TaskName
from app.services.clients import ClientService
from app.services.outcomes import purge_old_outcomes
from model_store.model_ref import ModelRef
from model_store.publisher import sweep_staging as sweep_store_staging
from model_store.reader import ModelStore
from workers.tasks.base import GalleyTask, galley_task

logger = structlog.get_logger()

# No upload takes this long; what is older was left behind by a publisher that died.
STALE_STAGING_S = 24 * 3600

BROKEN_VERSIONS = Gauge(
    "galley_store_broken_versions",
    "Versions whose files did not match their manifest at the last check.",
    multiprocess_mode="mostrecent",
)
STUCK_JOBS = Gauge(
    "galley_job_files_stuck",
    "Jobs whose files could not be removed at the last try, though their time is over.",
    multiprocess_mode="mostrecent",
)


@galley_task(TaskName.PURGE_REVOCATIONS)
def purge_revocations(self: GalleyTask) -> int:
    """Forget revoked tokens that have expired since; return how many."""
    return ClientService(self.parts.settings, self.parts.database).purge_expired()


@galley_task(TaskName.SWEEP_STAGING)
def sweep_staging(self: GalleyTask) -> int:
    """Delete what dead publishers left in the store's staging area and in quarantine; return how many folders."""
    uploads = self.parts.publishing.sweep(older_than_s=STALE_STAGING_S)
    return uploads + sweep_store_staging(self.parts.store, STALE_STAGING_S)


@galley_task(TaskName.CHECK_STORE)
def check_store(self: GalleyTask) -> list[str]:
    """Compare all files of all versions with their hashes; return the versions that do not match.

    What is left of deleted versions goes before, what was counted of them afterwards.
    """
    for ref in self.parts.retention.finish():
        logger.info("removal_finished", model=ref.name, version=ref.version)
    store = self.parts.store
    broken = [ref for ref in store.refs() if not _is_intact(store, ref)]
    BROKEN_VERSIONS.set(len(broken))
    deleted = {(ref.name, str(ref.version)) for ref in self.parts.retention.deleted()}
    forget_versions(self.parts.settings.metrics_dir, deleted)
    return [str(ref) for ref in broken]


@galley_task(TaskName.PURGE_OUTCOMES)
def purge_outcomes(self: GalleyTask) -> int:
    """Delete the old outcomes of routes' earlier revisions; return how many."""
    before = datetime.now(UTC) - timedelta(days=self.parts.settings.outcome_days)
    return purge_old_outcomes(self.parts.database, before=before)


@galley_task(TaskName.RESEND_JOBS)
def resend_jobs(self: GalleyTask) -> list[str]:
    """Send the tasks of jobs again whose task or worker was lost; return those jobs."""
    return self.parts.jobs.resend_lost()


@galley_task(TaskName.PURGE_JOBS)
def purge_jobs(self: GalleyTask) -> dict[str, int]:
    """Remove results that were kept for long enough, and files that nobody names; return how many."""
    purged, swept = self.parts.job_retention.purge(), self.parts.job_retention.sweep()
    STUCK_JOBS.set(purged.failed + swept.failed)
    return {"purged": len(purged.removed), "swept": len(swept.removed), "failed": purged.failed + swept.failed}


def _is_intact(store: ModelStore, ref: ModelRef) -> bool:
    try:
        store.verify(ref)
    except StoreUnreachable:
        raise
    except (StoreError, VersionNotFound) as err:
        if ref not in store.refs_of(ref.name):
            # It was deleted while it was read.
            return True
        logger.error("version_broken", model=ref.name, version=ref.version, code=err.code, detail=err.detail)
        return False

    return True
