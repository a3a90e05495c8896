"""Demo models that are missing are trained and published, those that are there are left alone."""

from pathlib import Path

import pytest

from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft
from model_store.reader import ModelStore
from tests.factories.database import make_database
from tests.factories.models import model_draft
from tests.unit.workers.commands.conftest import Run
from workers.commands import training


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Train the tiny colour model in place of the demo models; return what was trained."""
    trained: list[str] = []

    def trainer(name: str) -> training.Trainer:
        def train(work_dir: Path) -> VersionDraft:
            trained.append(name)
            return model_draft(work_dir, name=name)

        return train

    monkeypatch.setattr(training, "DEMO_MODELS", {name: trainer(name) for name in ("digits", "other")})
    return trained


def test_missing_demo_models_are_published_in_order(run: Run, store: ModelStore, trained: list[str]) -> None:
    result = run("demo")

    assert result.exit_code == 0, result.output
    assert trained == ["digits", "other"]
    assert store.refs() == [ModelRef("digits", 1), ModelRef("other", 1)]


def test_a_second_time_trains_nothing(run: Run, store: ModelStore, trained: list[str]) -> None:
    run("demo")
    result = run("demo")

    assert "digits is there" in result.output
    assert trained == ["digits", "other"]
    assert len(store.refs()) == 2


def test_versions_of_a_lost_database_are_taken_up(run: Run, var_dir: Path, trained: list[str]) -> None:
    run("demo")
    for path in var_dir.glob("galley.db*"):
        path.unlink()
    make_database(var_dir).close()
    result = run("demo")

    assert "digits/1 was in the store and is released again" in result.output
    assert trained == ["digits", "other"]
    assert run("show", "digits/default").exit_code == 0


def test_training_again_makes_the_next_version(run: Run, store: ModelStore) -> None:
    run("train", "digits")
    result = run("train", "digits", "--alias", "candidate")

    assert result.exit_code == 0, result.output
    assert store.refs() == [ModelRef("digits", 1), ModelRef("digits", 2)]
    assert run("show", "digits/candidate").output.startswith("digits/2")


def test_no_other_name_can_be_trained(run: Run) -> None:
    result = run("train", "weather")

    assert result.exit_code == 2
    assert "digits" in result.output
