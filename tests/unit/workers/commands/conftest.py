"""A command line on a store and a database of the test's own, without a Redis."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from model_store.reader import ModelStore, open_store
from tests.factories.database import make_database
from tests.factories.settings import TEST_SECRET
from workers.cli import models

Run = Callable[..., Result]


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    make_database(folder).close()
    return folder


@pytest.fixture
def run(var_dir: Path) -> Run:
    """Run `flask models` with these words and return what it said and its exit code."""
    changes = {"VAR_DIR": str(var_dir), "JWT_SECRET": TEST_SECRET}
    unset = dict.fromkeys(("DATABASE_URL", "STORE_URL", "REDIS_URL", "ENVIRONMENT"))

    def run_models(*words: str | Path) -> Result:
        return CliRunner().invoke(models, [str(word) for word in words], env={**unset, **changes})

    return run_models


@pytest.fixture
def store(var_dir: Path) -> ModelStore:
    """The store that the commands write to."""
    return open_store(str(var_dir / "store"), var_dir / "store-cache")
