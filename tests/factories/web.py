"""A web worker in a folder of its own: real SQLite, store, tokens and routing; a fake in place of runners."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from flask import Flask
from prometheus_client import CollectorRegistry

from app.db.migrate import upgrade
from app.db.session import Database
from app.factory import Core, wire
from app.inference.client import InferenceClient
from app.inference.load_estimate import LoadEstimate
from app.infra.redis import make_redis
from app.infra.task_names import TaskName
from app.services.catalog import no_notice
from app.services.clients import ClientDraft
from app.services.model_catalog import ModelCatalog
from app.services.releases import ReleaseService
from app.services.routing import Router
from app.services.scopes import ALL_SCOPES
from app.settings import Settings
from app.web.extensions import Services
from app.web.frame import build_frame
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
    directory: FakeDirectory
    """It shows the runners that `run` was told."""
    sent: list[tuple[TaskName, str]] = field(default_factory=list)
    """The tasks that were queued: name and argument."""

    def publish(self, **changes: Any) -> ModelRef:
        """Publish a version of arbitrary bytes, by default of the model `digits`, and have a READY runner for it."""
        draft = make_draft(self.folder, **{"name": "digits", **changes})
        ref = self.services.releases.release(draft, prove=accept, by="test")
        self.services.routing.refresh()
        self.run(*self.directory.snapshot.runners, make_record(ref))
        return ref

    def run(self, *runners: Any) -> None:
        """Publish a fresh directory that holds these runners."""
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
    core = _make_core(settings, folder)
    inference, sent = FakeInferenceClient(), list[tuple[TaskName, str]]()
    client = client or cast(InferenceClient, inference)
    services = wire(core, client, send=lambda task, job_id: sent.append((task, job_id)))
    # Requests start no threads: tests say when something was heard.
    services.listeners = ()
    return WebWorker(
        app=build_frame(services, CollectorRegistry()),
        services=services,
        inference=inference,
        folder=folder,
        directory=core.directory,
        sent=sent,
    )


@dataclass(frozen=True, kw_only=True)
class _FakeCore(Core):
    directory: FakeDirectory


def _make_core(settings: Settings, folder: Path) -> _FakeCore:
    """Return what services share: real SQL and store, a directory that the test sets, and nobody to tell of changes."""
    database, store, directory = Database(settings.database_url), make_store(folder), FakeDirectory()
    releases = ReleaseService(database, store)
    router = Router(releases.catalog)
    catalog = ModelCatalog(router, lambda: directory.snapshot, releases.manifest)
    return _FakeCore(
        settings=settings,
        database=database,
        redis=make_redis(settings),
        store=store,
        notify=no_notice,
        directory=directory,
        releases=releases,
        router=router,
        catalog=catalog,
        estimate=LoadEstimate(directory, catalog.measured_load_s),
    )
