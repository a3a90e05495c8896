"""The web tier's composition root: settings in, Flask app out."""

from collections.abc import Callable
from dataclasses import dataclass

import redis
from flask import Flask

from app.db.session import Database
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.inference.load_estimate import LoadEstimate
from app.infra.hub_loop import start_hub_loop
from app.infra.redis import Subscriber, make_redis, redis_errors
from app.infra.task_names import TaskName
from app.infra.task_queue import TaskQueue
from app.services.aliases import AliasService
from app.services.assignment_batches import Keeping
from app.services.assignments import AssignmentLog
from app.services.audit import AuditLog
from app.services.catalog import CATALOG_CHANNEL
from app.services.clients import ClientService
from app.services.experiment_store import ExperimentStore
from app.services.experiments import ExperimentService
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
from app.services.statistics import StatisticsService
from app.services.tokens import TokenService
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
    redis: redis.Redis
    store: ModelStore
    notify: Callable[[], None]
    directory: DirectoryReader
    releases: ReleaseService
    router: Router
    catalog: ModelCatalog
    estimate: LoadEstimate


def make_core(settings: Settings) -> Core:
    """Open the outside parts, and what says which version answers."""
    database = Database(settings.database_url)
    redis_client = make_redis(settings)
    directory = DirectoryReader(redis_client)
    start_hub_loop()
    store = open_store(settings.store_url, settings.var_dir / "store-cache")

    def tell_catalog_changed() -> None:
        with redis_errors():
            redis_client.publish(CATALOG_CHANNEL, b"")

    releases = ReleaseService(database, store, notify=tell_catalog_changed)
    router = Router(
        releases.catalog,
        readiness=Readiness(is_ready=lambda ref: bool(directory.ready(ref)), want=directory.want),
    )
    catalog = ModelCatalog(router, lambda: directory.snapshot, releases.manifest)
    return Core(
        settings=settings,
        database=database,
        redis=redis_client,
        store=store,
        notify=tell_catalog_changed,
        directory=directory,
        releases=releases,
        router=router,
        catalog=catalog,
        estimate=LoadEstimate(directory, catalog.measured_load_s),
    )


def make_services(settings: Settings) -> Services:
    """Wire all services of one web worker."""
    core = make_core(settings)
    inference = InferenceClient(core.directory, core.estimate)
    return wire(core, inference, send=TaskQueue(settings).send)


def wire(core: Core, inference: InferenceClient, *, send: Callable[[TaskName, str], None]) -> Services:
    """Put the services together; `send` queues a task for a job."""
    settings, database, router = core.settings, core.database, core.router
    experiment_store = ExperimentStore(core.redis)
    assignments = AssignmentLog(experiment_store, router, Keeping.of(settings))
    catalog_news = Subscriber(core.redis, {CATALOG_CHANNEL: router.wake}, on_connect=router.wake)
    router.trust(lambda: catalog_news.is_connected)
    jobs = JobService(database, send)
    token_codec = JwtCodec(settings)
    tokens = TokenService(settings, database, token_codec, redis_client=core.redis)
    return Services(
        settings=settings,
        database=database,
        redis=core.redis,
        token_codec=token_codec,
        tokens=tokens,
        clients=ClientService(settings, database, core.redis),
        releases=core.releases,
        aliases=AliasService(database, notify=core.notify),
        routes=RouteService(database, notify=core.notify),
        audit=AuditLog(database),
        jobs=jobs,
        publishing=PublishingService(database, jobs, quarantine_of(settings.var_dir)),
        retention=RetentionService(database, core.store, notify=core.notify),
        residency=ResidencyService(database, core.directory, estimate=core.estimate, notify=core.notify),
        routing=router,
        catalog=core.catalog,
        predictions=PredictionService(router, inference),
        readiness=_readiness(core),
        statistics=StatisticsService(settings.metrics_dir / "runners"),
        assignments=assignments,
        outcomes=OutcomeService(database, experiment_store, router),
        experiments=ExperimentService(database, experiment_store, router),
        inference=inference,
        directory=core.directory,
        # The log is stopped last: whatever the others still let through is written.
        listeners=(assignments, tokens, router, catalog_news, core.directory),
    )


def _readiness(core: Core) -> ReadinessService:
    directory = core.directory
    return ReadinessService(
        {
            "database": database_check(core.database),
            "directory": directory_check(lambda: directory.snapshot, heartbeat_s=core.settings.heartbeat_s),
            "models": models_check(lambda: core.router.catalog, lambda: directory.snapshot),
        }
    )
