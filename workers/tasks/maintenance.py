"""Upkeep: what nobody asks for, and what would pile up or rot without it."""

import structlog
from prometheus_client import Gauge

from app.errors import StoreError, StoreUnreachable
from app.infra.task_names import TaskName
from app.services.clients import ClientService
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


@galley_task(TaskName.PURGE_REVOCATIONS)
def purge_revocations(self: GalleyTask) -> int:
    """Forget revoked tokens that have expired since; return how many."""
    return ClientService(self.parts.settings, self.parts.database).purge_expired()


@galley_task(TaskName.SWEEP_STAGING)
def sweep_staging(self: GalleyTask) -> int:
    """Delete what dead publishers left in the store's staging area; return how many folders."""
    return sweep_store_staging(self.parts.store, STALE_STAGING_S)


@galley_task(TaskName.CHECK_STORE)
def check_store(self: GalleyTask) -> list[str]:
    """Compare all files of all versions with their hashes; return the versions that do not match."""
    store = self.parts.store
    broken = [ref for ref in store.refs() if not _is_intact(store, ref)]
    BROKEN_VERSIONS.set(len(broken))
    return [str(ref) for ref in broken]


def _is_intact(store: ModelStore, ref: ModelRef) -> bool:
    try:
        store.verify(ref)
    except StoreUnreachable:
        raise
    except StoreError as err:
        logger.error("version_broken", model=ref.name, version=ref.version, code=err.code, detail=err.detail)
        return False

    return True
