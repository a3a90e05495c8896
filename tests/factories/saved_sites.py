"""A place worth saving: clients, versions, an alias and a job's files, on SQLite or whatever the settings name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.infra.job_files import INPUT, JobFiles, open_job_files
from app.services.aliases import AliasMove, AliasService
from app.services.clients import ClientDraft, ClientService, IssuedSecret
from app.services.releases import ReleaseService
from app.services.retention import RetentionService
from app.settings import Settings
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore, open_store
from tests.factories.database import FragileDatabase, migrate
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
NAME = "galley-20260504T030201Z"
JOB = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Site:
    """What the settings name, migrated; `close` it at the end."""

    settings: Settings
    database: FragileDatabase
    store: ModelStore
    jobs: JobFiles

    def publish(self, artifact: bytes = b"weights") -> ModelRef:
        """Publish the next version of the model `tiny`."""
        draft = make_draft(self.settings.var_dir, artifact=artifact)
        return ReleaseService(self.database, self.store).release(draft, prove=accept, by="test")

    def delete(self, ref: ModelRef) -> None:
        """Delete a version, as an API call does."""
        RetentionService(self.database, self.store).delete(ref, by="test")

    def move(self, alias: str, ref: ModelRef) -> None:
        """Let an alias name a version."""
        AliasService(self.database).set(ref.name, alias, AliasMove(version=str(ref.version), by="test", why="a test"))

    def add_client(self) -> IssuedSecret:
        """Make a client."""
        return ClientService(self.settings, self.database).create(ClientDraft(scopes=frozenset({"infer"})), by="test")

    def add_job_files(self) -> None:
        """Store the input and a result of a job."""
        for name in (INPUT, "results/000001.1.ndjson"):
            with self.jobs.writer(JOB, name) as file:
                file.write(name.encode())

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def make_site(folder: Path, **changes: Any) -> Site:
    """Make a place in `folder`, its database migrated."""
    settings = make_settings(folder, **changes)
    folder.mkdir(parents=True, exist_ok=True)
    migrate(settings.database_url)
    return open_site(settings)


def open_site(settings: Settings) -> Site:
    """Open a place as it is."""
    return Site(
        settings,
        FragileDatabase(settings.database_url),
        open_store(settings.store_url, settings.var_dir / "store-cache"),
        open_job_files(settings.jobs_url, settings.var_dir / "job-spool"),
    )
