"""The services of one web worker, as its views reach them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flask import Flask, current_app
from redis import Redis

from app.db.session import Database
from app.inference.admission import Admission
from app.inference.answer_cache import AnswerCache
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.inference.heavy_client import HeavyClient
from app.inference.heavy_workers import HeavyWorkers
from app.infra.broker_queues import BrokerQueues
from app.infra.job_files import JobFiles, sweep_at_start
from app.infra.task_queue import Tasks
from app.services.aliases import AliasService
from app.services.assignments import AssignmentLog
from app.services.audit import AuditLog
from app.services.batch_jobs import BatchJobs
from app.services.clients import ClientService
from app.services.experiments import ExperimentService
from app.services.job_figures import JobFigures
from app.services.job_room import JobRoom
from app.services.jobs import JobService
from app.services.model_catalog import ModelCatalog
from app.services.outcomes import OutcomeService
from app.services.prediction import PredictionService
from app.services.publishing import PublishingService
from app.services.readiness import ReadinessService
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from app.services.retention import RetentionService
from app.services.routes import RouteService
from app.services.routing import Router
from app.services.socket_places import SocketPlaces
from app.services.statistics import StatisticsService
from app.services.stream_sessions import StreamSessions
from app.services.tokens import TokenService
from app.services.usage import UsageLog
from app.settings import Settings
from app.web.token_codec import JwtCodec

_KEY = "galley"


class Listener(Protocol):
    """Something that follows an outside part on a thread of its own."""

    def start(self) -> None:
        """Begin to follow; returns at once."""

    def stop(self) -> None:
        """Stop following, and wait for the end of it."""


@dataclass(kw_only=True)
class Services:
    """Everything a view may call. One set per process, made after fork; building it touches no network."""

    settings: Settings
    database: Database
    redis: Redis
    """Holds what may be forgotten."""
    state_redis: Redis
    """Holds what must not be lost."""
    token_codec: JwtCodec
    """How tokens are written; it needs the app, which comes last."""
    tokens: TokenService
    clients: ClientService
    releases: ReleaseService
    aliases: AliasService
    routes: RouteService
    audit: AuditLog
    jobs: JobService
    batch_jobs: BatchJobs
    job_files: JobFiles
    job_room: JobRoom
    job_figures: JobFigures
    broker_queues: BrokerQueues
    publishing: PublishingService
    retention: RetentionService
    residency: ResidencyService
    routing: Router
    catalog: ModelCatalog
    predictions: PredictionService
    readiness: ReadinessService
    statistics: StatisticsService
    assignments: AssignmentLog
    outcomes: OutcomeService
    experiments: ExperimentService
    usage: UsageLog
    sessions: StreamSessions
    places: SocketPlaces
    inference: InferenceClient
    heavy: HeavyClient
    heavy_workers: HeavyWorkers
    tasks: Tasks
    cache: AnswerCache
    admission: Admission
    directory: DirectoryReader
    listeners: Sequence[Listener]
    """What `start` starts, in this order, and `close` stops."""
    is_started: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to follow tokens, catalogue and directory. Calling it again does nothing."""
        if self.is_started:
            return

        self.is_started = True
        sweep_at_start(self.job_files)
        for listener in self.listeners:
            listener.start()

    def close(self) -> None:
        """Stop all listeners and close all sockets and pools."""
        if self.is_started:
            for listener in reversed(self.listeners):
                listener.stop()
        self.inference.close()
        self.heavy.close()
        self.tasks.close()
        self.cache.close()
        self.redis.close()
        self.state_redis.close()
        self.database.close()


def init_services(app: Flask, services: Services) -> None:
    """Attach `services` to `app`; they start with its first request, unless the server starts them before."""
    app.extensions[_KEY] = services
    app.before_request(services.start)


def services_of(app: Flask) -> Services:
    """Return the services of `app`."""
    attached: Services = app.extensions[_KEY]
    return attached


def services() -> Services:
    """Return the services of the app that serves the current request or command."""
    return services_of(current_app)
