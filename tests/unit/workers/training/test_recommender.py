"""Tests of the demo model recommender: what is trained can be published, proven and asked."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from app.errors import InputError
from app.scenarios.recommendations import RankingRow, encode_row
from model_store.publisher import VersionDraft, publish
from tests.factories.ratings import TINY_WORLD, write_lines
from tests.factories.versions import accept, make_store
from workers.runner.assets import Assets
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.ranking import RankingPipeline
from workers.runner.proof import load_and_prove
from workers.training.recommender import train_recommender
from workers.training.recommender_ratings import Ratings
from workers.training.recommender_simulation import simulate

WORLD = replace(TINY_WORLD, users=80, items=40, events=1500)


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def simulated() -> Ratings:
    return simulate(WORLD, seed=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_recommender(tmp_path_factory.mktemp("recommender"), report=ignore, world=WORLD)


def test_what_was_trained_can_be_published_and_answers(
    trained: VersionDraft, simulated: Ratings, tmp_path: Path
) -> None:
    store = make_store(tmp_path)
    folder = store.local_folder(publish(store, trained, prove=accept))
    model, proof = load_and_prove(folder, budget_s=0.5)
    pipeline = RankingPipeline(model.manifest, Limits(), Assets.of(folder, model.manifest))
    rows = [pipeline.prepare(encode_row(RankingRow(user, 5, [])), None) for user in (7, 10_000)]
    outputs = model.forward([torch.cat([row.inputs[0] for row in rows])])
    known, cold = (msgspec.json.decode(answer) for answer in pipeline.encode(rows, outputs) if type(answer) is bytes)

    taken = set(simulated.item_ids[simulated.items[simulated.users == 6]].tolist())
    assert proof.is_batch_safe
    assert len(known["items"]) == 5
    assert not taken & {item["item_id"] for item in known["items"]}
    assert (known["cold_start"], cold["cold_start"]) == (False, True)
    assert known["items"][0]["title"] == simulated.titles[known["items"][0]["item_id"]]


def test_the_manifest_tells_how_good_it_is(trained: VersionDraft) -> None:
    metrics = trained.manifest.metrics

    for figure in ("recall_at_10", "ndcg_at_10"):
        assert 0 < metrics[f"most_popular_{figure}"] < metrics[figure] <= 1
        assert 0 < metrics[f"recently_popular_{figure}"] <= 1
    assert metrics["test_users"] > 0
    assert "1500" not in trained.manifest.description
    assert "simulated ratings by 80 users of 40 items" in trained.manifest.description


def test_training_again_is_the_same_and_leaves_torch_as_it_was(trained: VersionDraft, tmp_path: Path) -> None:
    lines: list[str] = []
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    again = train_recommender(tmp_path, report=lines.append, world=WORLD)

    assert again.samples == trained.samples
    assert again.manifest == trained.manifest
    assert f"recall@10 {again.manifest.metrics['recall_at_10']:.3f}" in lines[-1]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random_state)


def test_a_file_is_trained_on_with_its_own_ids(simulated: Ratings, tmp_path: Path) -> None:
    users, items = simulated.users * 3 - 100, simulated.items + 2**40
    events = zip(users.tolist(), items.tolist(), simulated.times.tolist(), strict=True)
    path = write_lines(tmp_path / "ratings.dat", [f"{user}::{item}::1::{time}" for user, item, time in events])
    draft = train_recommender(tmp_path, report=ignore, ratings=path)

    assert draft.manifest.ranking is not None
    assert draft.manifest.ranking.titles is None
    assert sorted(draft.assets) == ["items.npy", "users.npy"]
    assert np.load(draft.assets["users.npy"]).tolist() == np.unique(users).tolist()
    assert np.load(draft.assets["items.npy"]).tolist() == np.unique(items).tolist()


def test_items_without_a_title_are_called_by_their_id(simulated: Ratings, tmp_path: Path) -> None:
    events = zip(simulated.users.tolist(), simulated.items.tolist(), simulated.times.tolist(), strict=True)
    write_lines(tmp_path / "ratings.dat", [f"{user}::{item}::1::{time}" for user, item, time in events])
    write_lines(tmp_path / "movies.dat", ["0::Nord (2001)::Drama"])
    draft = train_recommender(tmp_path, report=ignore, ratings=tmp_path)

    titles = msgspec.json.decode(draft.assets["titles.json"].read_bytes())
    assert titles[:2] == ["Nord (2001)", "Item 1"]
    assert len(titles) == len(simulated.item_ids)


def test_too_few_ratings_are_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "ratings.dat", ["1::1::1::1", "2::1::1::2"])

    with pytest.raises(InputError, match="2 ratings cannot be cut"):
        train_recommender(tmp_path, report=ignore, ratings=path)
