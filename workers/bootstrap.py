"""The composition root of everything that runs beside the web tier: controller, Celery tasks, commands."""

from dataclasses import dataclass

import redis

from app.db.session import Database
from app.inference.directory_reader import DirectoryReader
from app.infra.redis import make_redis, redis_errors
from app.infra.task_queue import TaskQueue
from app.services.aliases import AliasService
from app.services.catalog import CATALOG_CHANNEL
from app.services.jobs import JobService
from app.services.publishing import PublishingService
from app.services.quarantine import quarantine_of
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from app.services.retention import RetentionService
from app.settings import Settings
from model_store.reader import ModelStore, open_store


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What a process outside the web tier works with. Made after fork; `close` it at the end."""

    settings: Settings
    database: Database
    redis: redis.Redis
    store: ModelStore
    releases: ReleaseService
    aliases: AliasService
    directory: DirectoryReader
    """Not started: it follows nobody before somebody starts it."""
    residency: ResidencyService
    jobs: JobService
    publishing: PublishingService
    retention: RetentionService

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()
        self.redis.close()


def assemble(settings: Settings) -> WorkerParts:
    """Build the parts; nothing connects before its first use."""
    database = Database(settings.database_url)
    client = make_redis(settings)
    store = open_store(settings.store_url, settings.var_dir / "store-cache")

    def announce() -> None:
        with redis_errors():
            client.publish(CATALOG_CHANNEL, b"")

    directory = DirectoryReader(client)
    jobs = JobService(database, TaskQueue(settings).send)
    return WorkerParts(
        settings=settings,
        database=database,
        redis=client,
        store=store,
        releases=ReleaseService(database, store, notify=announce),
        aliases=AliasService(database, notify=announce),
        directory=directory,
        residency=ResidencyService(database, directory, notify=announce),
        jobs=jobs,
        publishing=PublishingService(database, jobs, quarantine_of(settings.var_dir)),
        retention=RetentionService(database, store, notify=announce),
    )
