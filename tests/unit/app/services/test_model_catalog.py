"""Models as their readers see them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import ModelNotFound, StoreUnreachable, VersionNotFound
from app.inference.directory import DirectorySnapshot
from app.inference.messages import RunnerState
from app.services.model_catalog import NO_WORKER, WAS_UNLOADED, ModelCatalog
from app.services.routing import Router
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.catalog import catalog_with
from tests.factories.versions import make_manifest
from tests.fakes.inference import make_record

DIGITS = ModelRef("digits", 1)

# A patched process, as web workers are, whose store is on a file system like those of S3: it runs on a loop.
PATCHED = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.local import LocalFileSystem
from tests.unit.app.services.test_model_catalog import DIGITS, make_catalog
from tests.factories.versions import make_store, publish_bytes
folder = Path(sys.argv[1])
store = make_store(folder)
publish_bytes(store, folder, name="digits")
store.file_system = AsyncFileSystemWrapper(LocalFileSystem(), asynchronous=False)
catalog = make_catalog(store)
print([catalog.version("digits", "1")[1].name for _ in range(2)])
"""


class FakeStore:
    """Remembers which manifests were read; can be away."""

    def __init__(self) -> None:
        self.reads: list[ModelRef] = []
        self.is_away = False

    def manifest(self, ref: ModelRef) -> Manifest:
        self.reads.append(ref)
        if self.is_away:
            raise StoreUnreachable("Away.")

        return make_manifest(name=ref.name, version=ref.version)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def make_catalog(store: FakeStore | ModelStore, *states: RunnerState) -> ModelCatalog:
    runners = [make_record(DIGITS, state=state) for state in states]
    snapshot = DirectorySnapshot(published_at=1.0, controller_pid=1, runners=runners)
    router = Router(lambda: catalog_with(1, 2, default=1, next=2))
    return ModelCatalog(router, lambda: snapshot, store.manifest, heavy_slots=lambda: 0)


def test_model_has_its_versions_newest_first(store: FakeStore) -> None:
    model = make_catalog(store).model("digits")

    assert (model.default, model.aliases) == (1, {"default": 1, "next": 2})
    assert [version.facts.ref.version for version in model.versions] == [2, 1]


def test_only_allowed_models_are_listed(store: FakeStore) -> None:
    catalog = make_catalog(store)

    assert [model.name for model in catalog.models(lambda name: name == "digits")] == ["digits"]
    assert catalog.models(lambda name: False) == []


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], "UNLOADED"),
        ([RunnerState.FAILED], "FAILED"),
        ([RunnerState.FAILED, RunnerState.LOADING], "LOADING"),
        ([RunnerState.DRAINING, RunnerState.READY], "READY"),
    ],
)
def test_state_is_that_of_the_runner_furthest_along(store: FakeStore, states: list[RunnerState], state: str) -> None:
    version, _ = make_catalog(store, *states).version("digits", "1")

    assert version.state == state
    assert len(version.runners) == len(states)


@pytest.mark.parametrize(
    ("slots", "is_unloaded", "state", "reason"),
    [(2, False, "READY", ""), (0, False, "UNLOADED", NO_WORKER), (2, True, "UNLOADED", WAS_UNLOADED)],
)
def test_heavy_version_is_ready_while_a_worker_serves_it(
    store: FakeStore, slots: int, is_unloaded: bool, state: str, reason: str
) -> None:
    model = catalog_with(1, default=1)["digits"]
    model.versions[1] = replace(model.versions[1], execution="heavy", is_unloaded=is_unloaded)
    snapshot = DirectorySnapshot(published_at=1.0, controller_pid=1)
    catalog = ModelCatalog(
        Router(lambda: {"digits": model}), lambda: snapshot, store.manifest, heavy_slots=lambda: slots
    )

    version, _ = catalog.version("digits", "1")

    assert (version.state, version.reason) == (state, reason)


def test_manifest_is_read_once(store: FakeStore) -> None:
    catalog = make_catalog(store)

    manifests = [catalog.version("digits", version)[1].version for version in ("1", "default", "1", "2")]

    assert manifests == [1, 1, 1, 2]
    assert store.reads == [DIGITS, ModelRef("digits", 2)]


def test_store_that_is_back_is_asked_again(store: FakeStore) -> None:
    catalog = make_catalog(store)
    store.is_away = True
    with pytest.raises(StoreUnreachable):
        catalog.version("digits", "1")
    store.is_away = False

    assert catalog.version("digits", "1")[1].version == 1


def test_what_is_not_there_is_told(store: FakeStore) -> None:
    with pytest.raises(ModelNotFound):
        make_catalog(store).model("flowers")
    with pytest.raises(VersionNotFound):
        make_catalog(store).version("digits", "3")


def test_manifests_of_a_remote_store_are_read_off_the_hub(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PATCHED, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines()[-1:] == ["['digits', 'digits']"], done.stderr
