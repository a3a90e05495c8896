"""Model versions, and what points at them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.repositories.aliases import AliasRepository
from app.db.repositories.jobs import JobRepository
from app.db.repositories.routes import RouteRepository
from app.db.repositories.upsert import claim_row, put_row
from app.db.tables.models import ModelVersionRow
from app.errors import VersionNotFound
from model_store.model_ref import ModelRef


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What SQL knows of a version. `digest` is the SHA-256 of its manifest, `size_bytes` counts all its files."""

    ref: ModelRef
    digest: str
    task: str
    execution: str
    size_bytes: int
    is_pinned: bool
    is_unloaded: bool = False
    """Whether somebody wants it not to run."""
    instances: int = 1
    """How many runners it should have."""
    is_cached: bool = True
    """Whether its manifest lets its answers be kept."""
    is_cached_per_client: bool = False
    """Whether each client's answers are kept apart."""
    created_at: datetime
    created_by: str

    @property
    def is_wanted_online(self) -> bool:
        """Whether runners may serve it: it is not Celery's, and nobody unloaded it."""
        return self.execution == "online" and not self.is_unloaded


class ModelRepository:
    """Versions within one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_version(self, facts: VersionFacts, *, overwrite: bool = True) -> bool:
        """Record a version; one already recorded takes these facts, or with `overwrite=False` keeps its own.

        :returns: whether these facts stand now.
        """
        values = {
            "model_name": facts.ref.name,
            "version": facts.ref.version,
            "digest": facts.digest,
            "task": facts.task,
            "execution": facts.execution,
            "size_bytes": facts.size_bytes,
            "is_pinned": facts.is_pinned,
            "is_unloaded": facts.is_unloaded,
            "instances": facts.instances,
            "is_cached": facts.is_cached,
            "is_cached_per_client": facts.is_cached_per_client,
            "created_at": facts.created_at,
            "created_by": facts.created_by,
        }
        if not overwrite:
            return claim_row(self._session, ModelVersionRow, values)

        put_row(self._session, ModelVersionRow, values)
        return True

    def versions(self, name: str | None = None) -> list[VersionFacts]:
        """Return the versions of one model or of all, in order, without those that were deleted."""
        query = (
            select(ModelVersionRow)
            .where(ModelVersionRow.deleted_at.is_(None))
            .order_by(ModelVersionRow.model_name, ModelVersionRow.version)
        )
        if name is not None:
            query = query.where(ModelVersionRow.model_name == name)
        return [_version_facts(row) for row in self._session.scalars(query)]

    def lock(self, name: str) -> None:
        """Let nobody else change what points at a model's versions until the unit of work ends."""
        query = select(ModelVersionRow.version).where(ModelVersionRow.model_name == name)
        # In order, so that two who lock wait for each other only. SQLite has locked all since the unit began.
        self._session.execute(query.order_by(ModelVersionRow.version).with_for_update())

    def uses(self, ref: ModelRef) -> list[str]:
        """Name what needs a version, in words: aliases, the route, a pin, open jobs. Lock the model before."""
        aliases = [
            facts.alias for facts in AliasRepository(self._session).all(ref.name) if facts.version == ref.version
        ]
        route = RouteRepository(self._session).find(ref.name)
        uses = [f"the alias '{alias}' points at it" for alias in aliases]
        if route is not None and ref.version in route.versions:
            uses.append("the model's route names it")
        if self._row(ref).is_pinned:
            uses.append("it is pinned")
        return uses + [f"the job {job_id} needs it" for job_id in JobRepository(self._session).open_over_rows(ref)]

    def set_pinned(self, ref: ModelRef, is_pinned: bool) -> None:
        """Pin a version, so that it stays loaded, or let it go.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref).is_pinned = is_pinned
        self._session.flush()

    def set_unloaded(self, ref: ModelRef, is_unloaded: bool) -> None:
        """Wish that a version does not run, or take the wish back.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref).is_unloaded = is_unloaded
        self._session.flush()

    def set_instances(self, ref: ModelRef, instances: int) -> None:
        """Say how many runners a version should have.

        :raises VersionNotFound: when the version is not recorded.
        """
        self._row(ref).instances = instances
        self._session.flush()

    def find(self, ref: ModelRef) -> VersionFacts:
        """Return one version.

        :raises VersionNotFound: when the version is not recorded.
        """
        return _version_facts(self._row(ref))

    def _row(self, ref: ModelRef) -> ModelVersionRow:
        row = self._session.get(ModelVersionRow, (ref.name, ref.version), populate_existing=True)
        if row is None or row.deleted_at is not None:
            raise VersionNotFound(ref.name, str(ref.version))

        return row


def _version_facts(row: ModelVersionRow) -> VersionFacts:
    return VersionFacts(
        ref=ModelRef(row.model_name, row.version),
        digest=row.digest,
        task=row.task,
        execution=row.execution,
        size_bytes=row.size_bytes,
        is_pinned=row.is_pinned,
        is_unloaded=row.is_unloaded,
        instances=row.instances,
        is_cached=row.is_cached,
        is_cached_per_client=row.is_cached_per_client,
        created_at=row.created_at,
        created_by=row.created_by,
    )
