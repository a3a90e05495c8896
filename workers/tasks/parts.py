"""What tasks work with: the connections of one worker process, made after the fork."""

from dataclasses import dataclass

from app.db.session import Database
from app.services.tokens import TokenService
from app.settings import Settings
from model_store.reader import ModelStore, open_store


@dataclass(frozen=True, kw_only=True)
class TaskParts:
    """The parts of one process, shared by all tasks that it runs."""

    settings: Settings
    database: Database
    store: ModelStore
    tokens: TokenService

    def close(self) -> None:
        """Close what holds connections."""
        self.database.close()


def open_parts(settings: Settings) -> TaskParts:
    """Build the parts of this process."""
    database = Database(settings.database_url)
    return TaskParts(
        settings=settings,
        database=database,
        store=open_store(settings.store_url, settings.var_dir / "store-cache"),
        tokens=TokenService(settings, database),
    )
