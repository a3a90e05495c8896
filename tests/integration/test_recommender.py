"""The recommender learns from real ratings, and what it learned is published and proven."""

import os
import shutil
from itertools import islice
from pathlib import Path

import pytest

from model_store.publisher import VersionDraft, publish
from tests.factories.versions import accept, make_store
from workers.runner.proof import load_and_prove
from workers.training.recommender import train_recommender

pytestmark = [
    pytest.mark.long,
    pytest.mark.needs_data,
    pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data"),
]

CUT = 40_000


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return Path(os.environ["GALLEY_DATA"]) / "recsys-movietweetings" / "snapshots" / "100K"


@pytest.fixture(scope="module")
def trained(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    """Train on the ratings of the first weeks; they are in no order in the file."""
    folder = tmp_path_factory.mktemp("ratings")
    lines = (snapshot / "ratings.dat").read_text().splitlines()
    lines.sort(key=lambda line: int(line.rpartition("::")[2]))
    (folder / "ratings.dat").write_text("\n".join(islice(lines, CUT)))
    shutil.copy(snapshot / "movies.dat", folder)
    return train_recommender(folder, report=ignore, ratings=folder)


def test_it_beats_most_popular_on_later_ratings(trained: VersionDraft) -> None:
    metrics = trained.manifest.metrics

    assert metrics["test_users"] > 1000
    assert metrics["recall_at_10"] > metrics["most_popular_recall_at_10"]
    assert metrics["ndcg_at_10"] > metrics["most_popular_ndcg_at_10"]


def test_it_is_proven_with_the_titles_of_the_films(trained: VersionDraft, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    folder = store.local_folder(publish(store, trained, prove=accept))
    _, proof = load_and_prove(folder)

    assert proof.is_batch_safe
    assert (folder / "model.pt").stat().st_size < 30_000_000
    assert "(2013)" in (folder / "assets" / "titles.json").read_text()


def test_on_all_ratings_it_beats_recently_popular_too(snapshot: Path, tmp_path: Path) -> None:
    metrics = train_recommender(tmp_path, report=ignore, ratings=snapshot).manifest.metrics

    assert metrics["recall_at_10"] > 1.5 * metrics["most_popular_recall_at_10"]
    assert metrics["recall_at_10"] > metrics["recently_popular_recall_at_10"]
    assert metrics["ndcg_at_10"] > metrics["recently_popular_ndcg_at_10"]
