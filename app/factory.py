"""The web tier's composition root: settings in, Flask app out."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask
from redis import Redis

from app.db.session import Database
from app.inference.admission import Admission
from app.inference.answer_cache import AnswerCache
from app.inference.cache_local import LocalCache
from app.inference.cache_shared import SharedCache
from app.inference.cache_tiers import CacheTiers
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.inference.heavy_client import HeavyClient
from app.inference.heavy_queue import HeavyQueue
from app.inference.heavy_workers import HeavyWorkers
from app.inference.load_estimate import LoadEstimate
from app.inference.turns import Turns
from app.infra.broker_queues import BrokerQueues
from app.infra.hub_loop import start_hub_loop
from app.infra.job_files import open_job_files
from app.infra.process_meter import ProcessMeter
from app.infra.redis import Subscriber, make_redis, make_state_redis, redis_errors
from app.infra.task_queue import TaskQueue, Tasks
from app.services.aliases import AliasService
from app.services.assignment_batches import Keeping
from app.services.assignments import AssignmentLog
from app.services.audit import AuditLog
from app.services.batch_jobs import BatchJobs
from app.services.catalog import CATALOG_CHANNEL, change_notice
from app.services.clients import ClientService
from app.services.experiment_store import ExperimentStore
from app.services.experiments import ExperimentService
from app.services.job_figures import JobFigures
from app.services.job_room import JobRoom
from app.services.jobs import JobService
from app.services.model_catalog import ModelCatalog
from app.services.outcomes import OutcomeService
from app.services.prediction import PredictionService
from app.services.publishing import PublishingService
from app.services.quarantine import quarantine_of
from app.services.readied_aliases import Readiness
from app.services.readiness import ReadinessService, database_check, directory_check, models_check
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from app.services.retention import RetentionService
from app.services.routes import RouteService
from app.services.routing import Router
from app.services.socket_places import SocketPlaces
from app.services.statistics import StatisticsService
from app.services.stream_sessions import TAKEN_CHANNEL, StreamSessions
from app.services.tokens import TokenService
from app.services.usage import UsageLog
from app.services.usage_store import UsageStore
from app.settings import Settings, read_settings
from app.web.extensions import Services
from app.web.frame import build_frame
from app.web.token_codec import JwtCodec
from model_store.reader import ModelStore, open_store


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app and its services. Opens no connection; the first request, or the server, starts the services.

    Call it after fork.

    :raises SettingsError: when no settings are given and the environment's do not parse.
    """
    return build_frame(make_services(settings or read_settings()))


@dataclass(frozen=True, kw_only=True)
class Core:
    """What the services of one web worker share."""

    settings: Settings
    database: Database
    redis: Redis
    """Holds what may be forgotten, and tells of changes."""
    state_redis: Redis
    """Holds what must not be lost."""
    store: ModelStore
    notify: Callable[[], None]
    directory: DirectoryReader
    releases: ReleaseService
    router: Router
    catalog: ModelCatalog
    estimate: LoadEstimate
    heavy_workers: HeavyWorkers


def make_core(settings: Settings) -> Core:
    """Open the outside parts, and what says which version answers."""
    database = Database(settings.database_url)
    redis_client, state_redis = make_redis(settings), make_state_redis(settings)
    directory = DirectoryReader(redis_client)
    start_hub_loop()
    store = open_store(settings.store_url, settings.var_dir / "store-cache")

    def tell_catalog_changed() -> None:
        with redis_errors():
            redis_client.publish(CATALOG_CHANNEL, change_notice())

    releases = ReleaseService(database, store, notify=tell_catalog_changed)
    router = Router(
        releases.catalog,
        readiness=Readiness(is_ready=lambda ref: bool(directory.ready(ref)), want=directory.want),
    )
    heavy_workers = HeavyWorkers(state_redis)
    catalog = ModelCatalog(router, lambda: directory.snapshot, releases.manifest, heavy_slots=heavy_workers.slots)
    return Core(
        settings=settings,
        database=database,
        redis=redis_client,
        state_redis=state_redis,
        store=store,
        notify=tell_catalog_changed,
        directory=directory,
        releases=releases,
        router=router,
        catalog=catalog,
        estimate=LoadEstimate(directory, catalog.measured_load_s),
        heavy_workers=heavy_workers,
    )


def make_services(settings: Settings) -> Services:
    """Wire all services of one web worker."""
    core = make_core(settings)
    inference, tasks = InferenceClient(core.directory, core.estimate), TaskQueue(settings)
    return wire(core, inference, heavy=HeavyClient(HeavyQueue(settings), tasks.send), tasks=tasks)


def wire(core: Core, inference: InferenceClient, *, heavy: HeavyClient, tasks: Tasks) -> Services:
    """Put the services together around what asks runners, what asks workers for heavy models, and what sends tasks."""
    settings, database, router = core.settings, core.database, core.router
    experiment_store = ExperimentStore(core.state_redis)
    assignments = AssignmentLog(experiment_store, router, Keeping.of(settings))
    sessions = StreamSessions(core.state_redis, keep_s=settings.stream_keep_s)
    news = Subscriber(core.redis, {CATALOG_CHANNEL: router.wake}, on_connect=router.wake)
    takeovers = Subscriber(core.state_redis, {TAKEN_CHANNEL: sessions.hear})
    router.trust(lambda: news.is_connected)
    usage = UsageLog(UsageStore(core.state_redis, keep_days=settings.usage_days))
    jobs = JobService(database, tasks.send)
    batch_jobs = BatchJobs(database, tasks.send, most_open=settings.max_open_jobs)
    job_files = open_job_files(settings.jobs_url, settings.var_dir / "job-spool")
    token_codec = JwtCodec(settings)
    tokens = TokenService(settings, database, token_codec, redis_client=core.redis)
    cache = _answer_cache(core)
    return Services(
        settings=settings,
        database=database,
        redis=core.redis,
        state_redis=core.state_redis,
        token_codec=token_codec,
        tokens=tokens,
        clients=ClientService(settings, database, tokens.revocations),
        releases=core.releases,
        aliases=AliasService(database, notify=core.notify),
        routes=RouteService(database, notify=core.notify),
        audit=AuditLog(database),
        jobs=jobs,
        batch_jobs=batch_jobs,
        job_files=job_files,
        job_room=JobRoom(job_files, reserve_bytes=settings.job_disk_reserve, has_files=batch_jobs.has_files),
        job_figures=JobFigures(database),
        broker_queues=BrokerQueues(core.state_redis),
        publishing=PublishingService(database, jobs, quarantine_of(settings.var_dir)),
        retention=RetentionService(database, core.store, notify=core.notify),
        residency=ResidencyService(database, core.directory, estimate=core.estimate, notify=core.notify),
        routing=router,
        catalog=core.catalog,
        predictions=PredictionService(router, inference, cache, heavy=heavy, cache_ttl_s=settings.cache_ttl_s),
        readiness=_readiness(core),
        statistics=StatisticsService(settings.metrics_dir / "runners", settings.metrics_dir / "celery"),
        assignments=assignments,
        outcomes=OutcomeService(database, experiment_store, router),
        experiments=ExperimentService(database, experiment_store, router),
        usage=usage,
        sessions=sessions,
        places=SocketPlaces(core.state_redis, most=settings.max_sockets),
        inference=inference,
        heavy=heavy,
        heavy_workers=core.heavy_workers,
        tasks=tasks,
        cache=cache,
        admission=Admission(limit=settings.max_in_service, longest_wait_s=settings.max_wait_s, turns=Turns()),
        directory=core.directory,
        # The logs are stopped last: whatever the others still let through is written.
        listeners=(ProcessMeter("web"), assignments, usage, tokens, router, news, takeovers, core.directory),
    )


def _answer_cache(core: Core) -> AnswerCache:
    settings = core.settings
    shared = SharedCache(core.redis, limit_bytes=settings.cache_redis_memory)
    return AnswerCache(CacheTiers(LocalCache(settings.cache_memory), shared))


def _readiness(core: Core) -> ReadinessService:
    directory = core.directory
    return ReadinessService(
        {
            "database": database_check(core.database),
            "directory": directory_check(lambda: directory.snapshot, heartbeat_s=core.settings.heartbeat_s),
            "models": models_check(
                lambda: core.router.catalog, lambda: directory.snapshot, heavy_slots=core.heavy_workers.slots
            ),
        }
    )
