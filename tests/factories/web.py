"""A web worker in a folder of its own: real SQLite, store, tokens and routing; a fake in place of runners."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

from apispec import APISpec
from flask import Flask
from prometheus_client import CollectorRegistry

from app.db.session import Database
from app.factory import Core, wire
from app.inference.client import InferenceClient
from app.inference.heavy_client import HeavyClient
from app.inference.heavy_workers import HeavyWorkers
from app.inference.load_estimate import LoadEstimate
from app.infra.redis import make_redis, make_state_redis
from app.infra.task_names import TaskName
from app.services.catalog import no_notice
from app.services.clients import ClientDraft
from app.services.model_catalog import ModelCatalog
from app.services.releases import ReleaseService
from app.services.routing import Router
from app.services.scopes import ALL_SCOPES
from app.settings import Settings
from app.web.api import GalleyBlueprint
from app.web.extensions import Services
from app.web.frame import build_frame
from model_store.model_ref import ModelRef
from tests.factories.database import migrate
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft, make_store
from tests.fakes.directory import FakeDirectory
from tests.fakes.inference import FakeHeavyClient, FakeHeavyWorkers, FakeInferenceClient, make_record

_DESCRIPTION: Final[dict[str, Any]] = {}
_TO_DICT: Final = APISpec.to_dict


@dataclass(kw_only=True)
class WebWorker:
    """An app, its parts, and a directory that tests set."""

    app: Flask
    services: Services
    inference: FakeInferenceClient
    folder: Path
    directory: FakeDirectory
    """It shows the runners that `run` was told."""
    heavy: FakeHeavyClient
    heavy_workers: FakeHeavyWorkers
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
    migrate(settings.database_url)
    core = _make_core(settings, folder)
    inference, heavy, sent = FakeInferenceClient(), FakeHeavyClient(), list[tuple[TaskName, str]]()
    client = client or cast(InferenceClient, inference)
    services = wire(core, client, heavy=cast(HeavyClient, heavy), tasks=_SentTasks(sent))
    # Requests start no threads: tests say when something was heard.
    services.listeners = ()
    with _described_once():
        app = build_frame(services, CollectorRegistry())
    return WebWorker(
        app=app,
        services=services,
        inference=inference,
        folder=folder,
        directory=core.directory,
        heavy=heavy,
        heavy_workers=cast(FakeHeavyWorkers, core.heavy_workers),
        sent=sent,
    )


@contextmanager
def _described_once() -> Iterator[None]:
    """Describe the API for the first app of a process, and give that to the others: it takes most of their building."""
    if not _DESCRIPTION:
        with mock.patch.object(APISpec, "to_dict", autospec=True, side_effect=_describe):
            yield
        return

    registering = mock.patch.object(GalleyBlueprint, "register_views_in_doc", autospec=True)
    with registering, mock.patch.object(APISpec, "to_dict", autospec=True, return_value=_DESCRIPTION):
        yield


def _describe(spec: APISpec) -> dict[str, Any]:
    _DESCRIPTION.update(_TO_DICT(spec))
    return _DESCRIPTION


@dataclass(frozen=True)
class _SentTasks:
    """Keeps tasks instead of sending them."""

    sent: list[tuple[TaskName, str]]

    def send(self, task: TaskName, *args: str) -> None:
        self.sent.append((task, *args))

    def close(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class _FakeCore(Core):
    directory: FakeDirectory


def _make_core(settings: Settings, folder: Path) -> _FakeCore:
    """Return what services share: real SQL and store, a directory that the test sets, and nobody to tell of changes."""
    database, store, directory = Database(settings.database_url), make_store(folder), FakeDirectory()
    releases = ReleaseService(database, store)
    router = Router(releases.catalog)
    heavy_workers = FakeHeavyWorkers()
    catalog = ModelCatalog(router, lambda: directory.snapshot, releases.manifest, heavy_slots=heavy_workers.slots)
    return _FakeCore(
        settings=settings,
        database=database,
        redis=make_redis(settings),
        state_redis=make_state_redis(settings),
        store=store,
        notify=no_notice,
        directory=directory,
        releases=releases,
        router=router,
        catalog=catalog,
        estimate=LoadEstimate(directory, catalog.measured_load_s),
        heavy_workers=cast(HeavyWorkers, heavy_workers),
    )
