"""Demo models that are missing are trained and published, those that are there are left alone."""

from pathlib import Path

import pytest

from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft
from model_store.reader import ModelStore
from tests.factories.database import make_database
from tests.factories.models import model_draft
from tests.factories.ratings import TINY_WORLD, write_lines
from tests.factories.transactions import TINY_WORLD as FEW_PAYMENTS
from tests.factories.transactions import write_transactions
from tests.unit.workers.commands.conftest import Run
from workers.commands import training
from workers.training.fraud_simulation import simulate as simulate_payments
from workers.training.recommender_simulation import simulate

NAMES = ("digits", "recommender", "text")


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Train the tiny colour model in place of the demo models; return what was trained."""
    trained: list[str] = []

    def trainer(name: str) -> training.Trainer:
        def train(work_dir: Path) -> VersionDraft:
            trained.append(name)
            return model_draft(work_dir, name=name)

        return train

    monkeypatch.setattr(training, "DEMO_MODELS", {name: trainer(name) for name in NAMES})
    return trained


def test_missing_demo_models_are_published_in_order(run: Run, store: ModelStore, trained: list[str]) -> None:
    result = run("demo")

    assert result.exit_code == 0, result.output
    assert trained == list(NAMES)
    assert store.refs() == [ModelRef(name, 1) for name in NAMES]


def test_a_second_time_trains_nothing(run: Run, store: ModelStore, trained: list[str]) -> None:
    run("demo")
    result = run("demo")

    assert "digits is there" in result.output
    assert trained == list(NAMES)
    assert len(store.refs()) == len(NAMES)


def test_versions_of_a_lost_database_are_taken_up(run: Run, var_dir: Path, trained: list[str]) -> None:
    run("demo")
    for path in var_dir.glob("galley.db*"):
        path.unlink()
    make_database(var_dir).close()
    result = run("demo")

    assert "digits/1 was in the store and is released again" in result.output
    assert trained == list(NAMES)
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


@pytest.mark.parametrize(("option", "owner"), [("--ratings", "recommender"), ("--csv", "text")])
def test_data_go_to_their_model_alone(run: Run, tmp_path: Path, option: str, owner: str) -> None:
    path = tmp_path / "data"
    path.touch()
    result = run("train", "digits", option, path)

    assert result.exit_code == 2
    assert f"{option} is an option of the {owner}" in result.output


def test_the_recommender_is_trained_on_the_ratings_given(run: Run, store: ModelStore, tmp_path: Path) -> None:
    ratings = simulate(TINY_WORLD, seed=0)
    events = zip(ratings.users.tolist(), ratings.items.tolist(), ratings.times.tolist(), strict=True)
    path = write_lines(tmp_path / "mine.dat", [f"{user}::{item}::5::{time}" for user, item, time in events])
    result = run("train", "recommender", "--ratings", path)

    assert result.exit_code == 0, result.output
    assert store.manifest(ModelRef("recommender", 1)).task == "ranking"


def test_texts_given_are_trained_on(run: Run, store: ModelStore, tmp_path: Path) -> None:
    lines = [f"some {word} {number},{word}" for word in ("iron", "zinc") for number in range(10)]
    result = run("train", "text", "--csv", write_lines(tmp_path / "mine.csv", ["text,label", *lines]))

    assert result.exit_code == 0, result.output
    assert store.manifest(ModelRef("text", 1)).labels == ["iron", "zinc"]


def test_bad_ratings_are_told_in_one_line(run: Run, store: ModelStore, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "mine.dat", ["1::2::5::10", "1::x::5::11"])
    result = run("train", "recommender", "--ratings", path)

    assert result.exit_code == 1
    assert "Error: mine.dat, line 2: the item 'x' is no integer." in result.output
    assert store.refs() == []


def test_fraud_is_trained_on_the_transactions_given(run: Run, store: ModelStore, tmp_path: Path) -> None:
    path = write_transactions(tmp_path / "mine.csv", simulate_payments(FEW_PAYMENTS, seed=0))
    result = run("train", "fraud", "--transactions", path)

    assert result.exit_code == 0, result.output
    assert store.manifest(ModelRef("fraud", 1)).task == "sequence-scoring"


def test_transactions_go_to_fraud_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.touch()
    result = run("train", "recommender", "--transactions", path)

    assert result.exit_code == 2
    assert "--transactions is an option of the fraud" in result.output
