"""A tiny scripted ranking model with its assets, and the answers that it must give, worked out by plain numpy."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_store.manifest import Manifest, Ranking
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft, publish
from model_store.reader import ModelStore
from tests.factories.models import save_scripted
from tests.factories.tensors import spec
from tests.factories.versions import accept

UNKNOWN_USER = 999_999
"""An id that no world has a row for."""


class ScoreTable(nn.Module):
    """Knows each user's scores by heart."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores, requires_grad=False)

    def forward(self, user: Tensor) -> Tensor:
        return self.scores[user]


@dataclass(frozen=True, kw_only=True)
class RankingWorld:
    """Who there is and what they like: a row of scores per user, and a last one for those it does not know."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    titles: list[str] | None
    scores: NDArray[np.float32]

    def answer(self, user_id: int, k: int = 10, exclude: tuple[int, ...] = ()) -> dict[str, Any]:
        """Return what a recommendation of `k` items has to say."""
        rows = np.flatnonzero(self.users == user_id)
        scores = self.scores[rows[0] if len(rows) else -1].copy()
        scores[np.isin(self.items, exclude)] = -np.inf
        best = [int(column) for column in np.argsort(-scores, kind="stable")[:k] if np.isfinite(scores[column])]
        items = [self._item(column, float(scores[column])) for column in best]
        return {"user_id": user_id, "items": items, "cold_start": not len(rows)}

    def model(self) -> nn.Module:
        """Return the model, to be scripted."""
        return ScoreTable(torch.from_numpy(self.scores))

    def manifest(self, **changes: Any) -> Manifest:
        """Return its manifest, with `changes` made."""
        titles = None if self.titles is None else "titles.json"
        fields: dict[str, Any] = {
            "task": "ranking",
            "inputs": [spec("user", "INT64", [-1])],
            "outputs": [spec("scores", "FP32", [-1, len(self.items)])],
            "max_batch_size": 32,
            "ranking": Ranking(users="users.npy", items="items.npy", titles=titles, cold_row=len(self.users)),
        }
        return Manifest(**{**fields, **changes})

    def save_assets(self, folder: Path) -> dict[str, Path]:
        """Write its assets; return them by name."""
        np.save(folder / "users.npy", self.users)
        np.save(folder / "items.npy", self.items)
        names = ["users.npy", "items.npy"]
        if self.titles is not None:
            (folder / "titles.json").write_bytes(msgspec.json.encode(self.titles))
            names.append("titles.json")
        return {name: folder / name for name in names}

    def _item(self, column: int, score: float) -> dict[str, Any]:
        item: dict[str, Any] = {"item_id": int(self.items[column]), "score": score}
        return item if self.titles is None else {**item, "title": self.titles[column]}


def make_world(*, users: int = 40, items: int = 30, seed: int = 0, has_titles: bool = True) -> RankingWorld:
    """Return a world of random ids, neither sorted nor dense, and random scores; each user has seen two items."""
    random = np.random.default_rng(seed)
    scores = random.standard_normal((users + 1, items), dtype=np.float32)
    for row in scores[:-1]:
        row[random.choice(items, 2, replace=False)] = -np.inf
    item_ids = random.permutation(items * 7)[:items].astype(np.int64)
    return RankingWorld(
        users=random.permutation(users * 5)[:users].astype(np.int64) - users,
        items=item_ids,
        titles=[f'Nº {item} "it"' for item in item_ids] if has_titles else None,
        scores=scores,
    )


def ranking_draft(world: RankingWorld, folder: Path, **changes: Any) -> VersionDraft:
    """Return a draft of the model `recommender` of a world; its files are saved in `folder`."""
    number = len(list(folder.glob("ranking-*")))
    files = folder / f"ranking-{number}"
    files.mkdir()
    fields: dict[str, Any] = {
        "name": "recommender",
        "version": None,
        "manifest": world.manifest(),
        "artifact": save_scripted(world.model(), files / "model.pt"),
        "assets": world.save_assets(files),
    }
    return VersionDraft(**{**fields, **changes})


def publish_ranking(store: ModelStore, folder: Path, world: RankingWorld, **changes: Any) -> ModelRef:
    """Publish the model of a world without proving it."""
    return publish(store, ranking_draft(world, folder, **changes), prove=accept)


def assert_same_answer(got: bytes | dict[str, Any], wanted: dict[str, Any]) -> None:
    """Compare an answer with what it has to say; scores may differ by rounding, nothing else."""
    answer = dict(json.loads(got) if isinstance(got, bytes) else got)
    answer.pop("model", None)
    scores, wanted_scores = ([item["score"] for item in one["items"]] for one in (answer, wanted))
    assert _without_scores(answer) == _without_scores(wanted)
    np.testing.assert_allclose(scores, wanted_scores, rtol=1e-5, atol=1e-6)


def _without_scores(answer: dict[str, Any]) -> dict[str, Any]:
    items = [{name: value for name, value in item.items() if name != "score"} for item in answer["items"]]
    return {**answer, "items": items}
