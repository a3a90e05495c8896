"""A load on its own thread ends with a proven model or with a reason, and says so."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from app.inference.messages import Form
from model_store.manifest import ARTIFACT_FILE, Ranking
from tests.factories.models import ForkingColourModel, publish_model
from tests.factories.ranking import make_world, publish_ranking
from tests.factories.versions import make_store
from workers.runner import loading
from workers.runner.loading import NICENESS, Loading
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.ranking import RankingPipeline
from workers.runner.proof import load_and_prove


def ended(folder: Path) -> Loading:
    """Load a folder and return the load once it has ended."""
    told = threading.Event()
    load = Loading(folder, digest="", limits=Limits(), on_done=told.set)
    load.start()
    assert told.wait(20)
    load.join()
    return load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = make_store(tmp_path)
    return store.local_folder(publish_model(store, tmp_path))


def test_ends_with_a_proven_model(folder: Path) -> None:
    load = ended(folder)

    assert load.is_done
    assert load.proven is not None
    assert load.proven[1].is_batch_safe
    assert (load.reason, load.took_s > 0.0) == ("", True)


def test_gives_way_to_serving_but_for_what_stays_to_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    niceness: dict[str, int] = {}

    def note(what: str) -> None:
        niceness[what] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def prove(*args: Any, **options: Any) -> Any:
        note("the load")
        return load_and_prove(*args, **options)

    monkeypatch.setattr(loading, "load_and_prove", prove)
    monkeypatch.setattr(loading, "start_fork_pool", lambda: note("the pool"))
    store = make_store(tmp_path)
    load = ended(store.local_folder(publish_model(store, tmp_path, ForkingColourModel(work=1))))

    assert load.proven is not None, load.reason
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness == {"the load": min(19, own + NICENESS), "the pool": own}


def test_ends_with_a_reason(folder: Path) -> None:
    (folder / ARTIFACT_FILE).unlink()

    load = ended(folder)

    assert load.proven is None
    assert ARTIFACT_FILE in load.reason


def test_assets_are_read_too(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    load = ended(store.local_folder(publish_ranking(store, tmp_path, make_world())))

    assert load.proven is not None, load.reason
    assert isinstance(load.proven[0].pipelines[Form.SCENARIO], RankingPipeline)


def test_assets_that_contradict_the_manifest_are_a_reason(tmp_path: Path) -> None:
    store, world = make_store(tmp_path), make_world()
    fewer = make_world(items=29).save_assets(tmp_path)
    load = ended(store.local_folder(publish_ranking(store, tmp_path, world, assets=fewer)))

    assert load.proven is None
    assert "29 ids of 'items.npy'" in load.reason


def test_a_cold_row_that_the_model_lacks_is_a_reason(tmp_path: Path) -> None:
    store, world = make_store(tmp_path), make_world()
    section = Ranking(users="users.npy", items="items.npy", cold_row=2**62)
    load = ended(store.local_folder(publish_ranking(store, tmp_path, world, manifest=world.manifest(ranking=section))))

    assert load.proven is None
    assert f"index {2**62} is out of bounds" in load.reason


def test_a_model_of_fewer_rows_than_users_is_a_reason(tmp_path: Path) -> None:
    store, world = make_store(tmp_path), make_world()
    more = make_world(users=60).save_assets(tmp_path)
    load = ended(store.local_folder(publish_ranking(store, tmp_path, world, assets=more)))

    assert load.proven is None
    assert "index 59 is out of bounds" in load.reason


def test_an_error_nobody_foresaw_is_a_reason_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(loading, "load_and_prove", fail)

    load = ended(folder)

    assert load.proven is None
    assert "unexpected error" in load.reason
    assert "secret" not in load.reason
