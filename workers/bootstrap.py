"""The composition root of everything that runs beside the web tier: controller, Celery tasks, commands."""

from dataclasses import dataclass

from redis import Redis

from app.db.session import Database
from app.inference.directory_reader import DirectoryReader
from app.infra.job_files import JobFiles, open_job_files
from app.infra.redis import make_redis, make_state_redis, redis_errors
from app.infra.task_queue import TaskQueue
from app.services.aliases import AliasService
from app.services.batch_jobs import BatchJobs
from app.services.catalog import CATALOG_CHANNEL, change_notice
from app.services.chunk_queue import ChunkQueue
from app.services.job_retention import JobRetention
from app.services.job_room import JobRoom
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
    redis: Redis
    """Holds what may be forgotten: the directory of runners, who is to hear of changes."""
    state_redis: Redis
    """Holds what must not be lost: the broker's queues, what sequences remember."""
    store: ModelStore
    releases: ReleaseService
    aliases: AliasService
    tasks: TaskQueue
    directory: DirectoryReader
    """Not started: it follows nobody before somebody starts it."""
    residency: ResidencyService
    jobs: JobService
    batch_jobs: BatchJobs
    chunks: ChunkQueue
    job_files: JobFiles
    job_room: JobRoom
    job_retention: JobRetention
    publishing: PublishingService
    retention: RetentionService

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()
        self.redis.close()
        self.state_redis.close()
        self.tasks.close()


def assemble(settings: Settings) -> WorkerParts:
    """Build the parts; nothing connects before its first use."""
    database = Database(settings.database_url)
    client = make_redis(settings)
    store = open_store(settings.store_url, settings.var_dir / "store-cache")

    def announce() -> None:
        with redis_errors():
            client.publish(CATALOG_CHANNEL, change_notice())

    directory = DirectoryReader(client)
    tasks = TaskQueue(settings)
    # However many inputs there are: long plans leave one process for chunks, heavy calls and plans of a moment.
    jobs = JobService(database, tasks.send, most_plans=max(1, settings.job_workers - 1))
    batch_jobs = BatchJobs(database, tasks.send, most_open=settings.max_open_jobs)
    job_files = open_job_files(settings.jobs_url, settings.var_dir / "job-spool")
    job_room = JobRoom(job_files, reserve_bytes=settings.job_disk_reserve, has_files=batch_jobs.has_files)
    return WorkerParts(
        settings=settings,
        database=database,
        redis=client,
        state_redis=make_state_redis(settings),
        store=store,
        releases=ReleaseService(database, store, notify=announce),
        aliases=AliasService(database, notify=announce),
        tasks=tasks,
        directory=directory,
        residency=ResidencyService(database, directory, notify=announce),
        jobs=jobs,
        batch_jobs=batch_jobs,
        chunks=ChunkQueue(database, lease_s=settings.job_lease_s),
        job_files=job_files,
        job_room=job_room,
        job_retention=JobRetention(database, batch_jobs, job_room, keep_days=settings.job_result_days),
        publishing=PublishingService(database, jobs, quarantine_of(settings.var_dir)),
        retention=RetentionService(database, store, notify=announce),
    )
