"""A web worker in a folder of its own: real SQLite, store, tokens and routing; a fake in place of runners."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from flask import Flask
from prometheus_client import CollectorRegistry

from app.db.migrate import upgrade
from app.db.session import Database
from app.inference.client import InferenceClient
from app.inference.directory import DirectorySnapshot
from app.infra.redis import make_redis
from app.infra.task_names import TaskName
from app.services.aliases import AliasService
from app.services.assignment_batches import Keeping
from app.services.assignments import AssignmentLog
from app.services.audit import AuditLog
from app.services.clients import ClientDraft, ClientService
from app.services.experiment_store import ExperimentStore
from app.services.experiments import ExperimentService
from app.services.jobs import JobService
from app.services.model_catalog import ModelCatalog
from app.services.outcomes import OutcomeService
from app.services.prediction import PredictionService
from app.services.publishing import PublishingService
from app.services.quarantine import quarantine_of
from app.services.readiness import ReadinessService, database_check, directory_check, models_check
from app.services.releases import ReleaseService
from app.services.residency import ResidencyService
from app.services.retention import RetentionService
from app.services.routes import RouteService
from app.services.routing import Router
from app.services.scopes import ALL_SCOPES
from app.services.statistics import StatisticsService
from app.services.tokens import TokenService
from app.web.extensions import Services
from app.web.frame import build_frame
from app.web.token_codec import JwtCodec
from model_store.model_ref import ModelRef
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft, make_store
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import FakeInferenceClient, make_record


@dataclass(kw_only=True)
class WebWorker:
    """An app, its parts, and a directory that tests set."""

    app: Flask
    services: Services
    inference: FakeInferenceClient
    folder: Path
    snapshot: DirectorySnapshot
    directory: FakeDirectory
    """What loading waits for; it shows the runners that `run` was told."""
    sent: list[tuple[TaskName, str]] = field(default_factory=list)
    """The tasks that were queued: name and argument."""

    def publish(self, **changes: Any) -> ModelRef:
        """Publish a version of arbitrary bytes, by default of the model `digits`, and have a READY runner for it."""
        draft = make_draft(self.folder, **{"name": "digits", **changes})
        ref = self.services.releases.release(draft, prove=accept, by="test")
        self.services.routing.refresh()
        self.run(*self.snapshot.runners, make_record(ref))
        return ref

    def run(self, *runners: Any) -> None:
        """Publish a fresh directory that holds these runners."""
        self.snapshot = DirectorySnapshot(published_at=time.time(), controller_pid=1, runners=list(runners))
        self.directory.show(*runners)

    def token(self, *, scopes: frozenset[str] = ALL_SCOPES, models: tuple[str, ...] = ("*",)) -> str:
        """Make a client and return a token of it."""
        issued = self.services.clients.create(ClientDraft(scopes=scopes, model_globs=models), by="test")
        return self.services.tokens.issue(issued.client.client_id, issued.secret).access_token

    def bearer(self, **client: Any) -> dict[str, str]:
        """Return the headers of a new client's call."""
        return {"Authorization": f"Bearer {self.token(**client)}"}


def make_worker(folder: Path, *, client: InferenceClient | None = None, **changes: Any) -> WebWorker:
    """Build a worker whose settings have `changes`; close its services at the end.

    It asks the runners behind `client`, where one is given, instead of the fake.
    """
    # Nothing listens there, unless the test names a Redis: limits fall back to this process alone.
    settings = make_settings(folder, **{"redis_url": f"unix://{folder}/no-redis.sock", **changes})
    upgrade(settings.database_url)
    database, token_codec = Database(settings.database_url), JwtCodec(settings)
    redis_client = make_redis(settings)
    store = make_store(folder)
    releases = ReleaseService(database, store)
    router = Router(releases.catalog)
    experiment_store = ExperimentStore(redis_client)
    assignments = AssignmentLog(experiment_store, router, Keeping.of(settings))
    inference, directory = FakeInferenceClient(), FakeDirectory()
    client = client or cast(InferenceClient, inference)

    sent: list[tuple[TaskName, str]] = []
    jobs = JobService(database, lambda task, job_id: sent.append((task, job_id)))

    def snapshot() -> DirectorySnapshot:
        return worker.snapshot

    services = Services(
        settings=settings,
        database=database,
        redis=redis_client,
        token_codec=token_codec,
        tokens=TokenService(settings, database, token_codec),
        clients=ClientService(settings, database),
        releases=releases,
        aliases=AliasService(database),
        routes=RouteService(database),
        audit=AuditLog(database),
        jobs=jobs,
        publishing=PublishingService(database, jobs, quarantine_of(settings.var_dir)),
        retention=RetentionService(database, store),
        residency=ResidencyService(database, directory),
        routing=router,
        catalog=ModelCatalog(router, snapshot, releases.manifest),
        predictions=PredictionService(router, client),
        readiness=ReadinessService(
            {
                "database": database_check(database),
                "directory": directory_check(snapshot, heartbeat_s=settings.heartbeat_s),
                "models": models_check(lambda: router.catalog, snapshot),
            }
        ),
        statistics=StatisticsService(settings.metrics_dir / "runners"),
        assignments=assignments,
        outcomes=OutcomeService(database, experiment_store, router),
        experiments=ExperimentService(database, experiment_store, router),
        inference=client,
        listeners=(),
    )
    app = build_frame(services, CollectorRegistry())
    worker = WebWorker(
        app=app,
        services=services,
        inference=inference,
        folder=folder,
        snapshot=DirectorySnapshot(published_at=time.time(), controller_pid=1),
        directory=directory,
        sent=sent,
    )
    return worker
