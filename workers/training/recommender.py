"""The demo model `recommender`: which items a user may like next, learned from who took which item when."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from model_store.manifest import Manifest, Ranking, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from workers.training.progress import Report
from workers.training.recommender_evaluation import Split
from workers.training.recommender_files import read_ratings
from workers.training.recommender_fitting import Choice, Findings, choose, measure
from workers.training.recommender_model import RankingModel
from workers.training.recommender_ratings import Ratings
from workers.training.recommender_simulation import World, simulate
from workers.training.recommender_training import build_model, find_tastes

# As many users as one request may name.
MAX_BATCH = 256

USERS_FILE = "users.npy"
ITEMS_FILE = "items.npy"
TITLES_FILE = "titles.json"


def train_recommender(
    work_dir: Path, *, report: Report, ratings: Path | None = None, seed: int = 0, world: World | None = None
) -> VersionDraft:
    """Fit, evaluate, train on everything, and script; all files are written to `work_dir`.

    `ratings` is a file or a folder with one; without it a `world` is simulated. The same seed gives the same model on
    the same machine.

    :raises InputError: when the ratings cannot be read, or are too few to be learned from.
    """
    report("recommender: simulating ratings" if ratings is None else f"recommender: reading {ratings}")
    known = simulate(world or World(), seed=seed) if ratings is None else read_ratings(ratings)
    source = "simulated" if ratings is None else "given"
    report(f"recommender: {len(known)} ratings by {len(known.user_ids)} users of {len(known.item_ids)} items")
    with _one_thread():
        split = Split.of(known)
        choice = choose(known, split, seed=seed, report=report)
        findings = measure(known, split, choice, seed=seed)
        report(_told(findings))
        model = build_model(known, find_tastes(known, seed=seed), choice.blend)
        samples = _samples(model)
    artifact = work_dir / "model.pt"
    torch.jit.script(model).save(str(artifact))  # type: ignore[no-untyped-call]
    return VersionDraft(
        name="recommender",
        version=None,
        manifest=_manifest(known, _metrics(findings, choice), source),
        artifact=artifact,
        samples=samples,
        assets=_write_assets(known, work_dir),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch and numpy's algebra compute with one thread, then give back what was.

    Sums come out the same then, whatever the cores. Threads that wait for each other would cost several times as much
    where other processes start meanwhile.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def _told(findings: Findings) -> str:
    return (
        f"recommender: recall@10 {findings.recommender.recall:.3f} on later ratings, "
        f"most popular {findings.most_popular.recall:.3f}, recently popular {findings.recently_popular.recall:.3f}"
    )


def _metrics(findings: Findings, choice: Choice) -> dict[str, float]:
    qualities = {
        "": findings.recommender,
        "most_popular_": findings.most_popular,
        "recently_popular_": findings.recently_popular,
    }
    recalls = {f"{name}recall_at_10": quality.recall for name, quality in qualities.items()}
    ndcgs = {f"{name}ndcg_at_10": quality.ndcg for name, quality in qualities.items()}
    return {
        **recalls,
        **ndcgs,
        "test_users": float(findings.users),
        "test_users_new": float(findings.new_users),
        "half_life_days": choice.blend.half_life_days,
        "taste_weight": choice.blend.taste_weight,
        "recently_popular_days": choice.recent_days,
    }


def _manifest(ratings: Ratings, metrics: dict[str, float], source: str) -> Manifest:
    return Manifest(
        task="ranking",
        inputs=[TensorSpec(name="user", datatype="INT64", shape=[-1])],
        outputs=[TensorSpec(name="scores", datatype="FP32", shape=[-1, len(ratings.item_ids)])],
        max_batch_size=MAX_BATCH,
        ranking=Ranking(
            users=USERS_FILE,
            items=ITEMS_FILE,
            titles=TITLES_FILE if ratings.titles else None,
            cold_row=len(ratings.user_ids),
        ),
        description=f"What is taken now, by all and by people of a user's taste. Trained on {len(ratings)} {source} "
        f"ratings by {len(ratings.user_ids)} users of {len(ratings.item_ids)} items.",
        metrics=metrics,
    )


def _write_assets(ratings: Ratings, work_dir: Path) -> dict[str, Path]:
    """Write what rows and columns stand for; an item without a title is called by its id."""
    assets = {USERS_FILE: work_dir / USERS_FILE, ITEMS_FILE: work_dir / ITEMS_FILE}
    np.save(assets[USERS_FILE], ratings.user_ids)
    np.save(assets[ITEMS_FILE], ratings.item_ids)
    if ratings.titles:
        assets[TITLES_FILE] = work_dir / TITLES_FILE
        titles = [ratings.titles.get(item, f"Item {item}") for item in ratings.item_ids.tolist()]
        assets[TITLES_FILE].write_bytes(msgspec.json.encode(titles))
    return assets


def _samples(model: RankingModel) -> bytes:
    """Return the scores of a user who is not known: nobody else's are all finite, and JSON has no infinity."""
    user = torch.tensor([model.cold_row])
    with torch.inference_mode():
        scores = model(user)
    inputs = [from_array("user", "INT64", user.numpy())]
    outputs = [from_array("scores", "FP32", scores.numpy())]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])
