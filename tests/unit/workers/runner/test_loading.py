"""A load on its own thread ends with a proven model or with a reason, and says so."""

import threading
from pathlib import Path
from typing import Any

import pytest

from model_store.manifest import ARTIFACT_FILE
from tests.factories.models import publish_model
from tests.factories.versions import make_store
from workers.runner import loading
from workers.runner.loading import Loading
from workers.runner.pipelines.base import Limits


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


def test_ends_with_a_reason(folder: Path) -> None:
    (folder / ARTIFACT_FILE).unlink()

    load = ended(folder)

    assert load.proven is None
    assert ARTIFACT_FILE in load.reason


def test_an_error_nobody_foresaw_is_a_reason_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(loading, "load_and_prove", fail)

    load = ended(folder)

    assert load.proven is None
    assert "unexpected error" in load.reason
    assert "secret" not in load.reason
