"""The ranking pipeline: a user's id → its row in the model → scores of all items → the best of them, as JSON."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.errors import GalleyError, InvalidFields, InvalidManifest, ModelFailed
from app.scenarios.recommendations import DEFAULT_K, TASK, RankingRow, decode_row, encode_row
from model_store.manifest import Manifest, Ranking
from model_store.signature import SampleTensor
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.pipelines.base import Limits, Pipeline, PreparedRow, Rehearsal
from workers.runner.pipelines.ranking_answers import RankingWriter, numbers
from workers.runner.pipelines.ranking_ids import IdLookup
from workers.runner.pipelines.registry import register
from workers.runner.values import Value

NEVER = torch.tensor(float("-inf"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks for besides its user's scores: how many items, and which columns not."""

    user_id: int
    k: int
    excluded: NDArray[np.int64]
    is_cold: bool


@register(TASK)
class RankingPipeline(Pipeline):
    """Recommend items to users: the row of a user in, one score per item out; -inf is never recommended."""

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        super().__init__(manifest, limits, assets)
        ranking = _section(manifest)
        items = assets.ids(ranking.items)
        titles = None if ranking.titles is None else assets.texts(ranking.titles)
        _check_lengths(manifest, ranking, items=len(items), titles=len(items) if titles is None else len(titles))
        self._users = IdLookup(assets.ids(ranking.users))
        self._items = IdLookup(items)
        self._writer = RankingWriter(items, titles)
        self._cold_row = ranking.cold_row
        self._cold_user = torch.tensor([ranking.cold_row])
        # A slice of it is a model's input in half the time that a new tensor takes.
        self._rows = torch.arange(len(self._users))

    @classmethod
    def serves(cls, manifest: Manifest) -> bool:
        """Say whether the manifest tells which ids rows and columns stand for."""
        return manifest.ranking is not None

    def read_parameters(self, raw: dict[str, Any]) -> None:
        """Take none: a row says it all.

        :raises InvalidFields: when there are some.
        """
        if raw:
            raise InvalidFields({"parameters": [f"A ranking takes no parameters, such as {next(iter(raw))!r}."]})

    def is_quick(self, _data: bytes, _parameters: None) -> bool:
        """Say that it always is: a thousand excluded items take 0.1 ms."""
        return True

    def prepare(self, data: bytes, _parameters: None) -> PreparedRow:
        """Find the user's row, that of new users where it has none, and the columns of what is excluded."""
        try:
            asked = decode_row(data)
        except msgspec.MsgspecError as err:
            raise InvalidFields({"row": [f"{err}."]}) from err

        row = self._users.place(asked.user_id)
        user = self._cold_user if row is None else self._rows[row : row + 1]
        return PreparedRow((user,), Asked(asked.user_id, asked.k, self._items.places(asked.exclude), row is None))

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return the best items of each row; a row whose scores are not numbers failed."""
        assert isinstance(outputs[0], Tensor)
        asked: list[Asked] = [row.context for row in rows]
        scores = _without_excluded(outputs[0].float(), asked)
        answers: dict[int, bytes | GalleyError] = {}
        for group in _alike(asked):
            part = scores if len(group) == len(asked) else scores[group]
            answers |= zip(group, self._best([asked[row] for row in group], part), strict=True)
        return [answers[row] for row in range(len(rows))]

    def rehearsal(self, _usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return the row of the model's last user, as far as the assets know: a model of fewer rows fails there."""
        last = len(self._users) - 1
        is_known = last >= self._cold_row
        user = self._users.id_at(last) if is_known else next(filter(self._is_unknown, itertools.count()))
        return Rehearsal(encode_row(RankingRow(user, DEFAULT_K, [])))

    def _is_unknown(self, user_id: int) -> bool:
        return self._users.place(user_id) is None

    def _best(self, asked: Sequence[Asked], scores: Tensor) -> Iterable[bytes | GalleyError]:
        most = min(max(one.k for one in asked), scores.shape[1])
        best = torch.topk(scores, most, dim=1)
        values = best.values.numpy()
        texts, columns = numbers(values), best.indices.tolist()
        usable = (values > -np.inf).sum(axis=1).tolist()
        # topk puts NaN first, so the first value tells.
        is_number = (values[:, 0] < np.inf).tolist()
        for row, one in enumerate(asked):
            if not is_number[row]:
                yield ModelFailed("The model answered scores that are not numbers.")
                continue
            count = min(one.k, usable[row])
            start = row * most
            yield self._writer.write(
                one.user_id, columns[row][:count], texts[start : start + count], is_cold=one.is_cold
            )


def _without_excluded(scores: Tensor, asked: Sequence[Asked]) -> Tensor:
    """Return the scores with the columns that each row excludes at -inf; the model's own are not touched."""
    counts = [len(one.excluded) for one in asked]
    if not any(counts):
        return scores

    rows = torch.from_numpy(np.repeat(np.arange(len(asked)), counts))
    columns = torch.from_numpy(np.concatenate([one.excluded for one in asked]))
    return scores.index_put((rows, columns), NEVER)


def _alike(asked: Sequence[Asked]) -> Iterable[list[int]]:
    """Return the rows in groups that ask for about as many items, within a factor of eight.

    All of a group are searched for as many: the best thousand take fifteen times as long to find as the best ten.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for row, one in enumerate(asked):
        groups[one.k.bit_length() // 3].append(row)
    return groups.values()


def _section(manifest: Manifest) -> Ranking:
    if manifest.ranking is None:
        raise InvalidManifest("The manifest lacks 'ranking', which says whose rows and which items the model scores.")
    if [(spec.datatype, spec.shape) for spec in manifest.inputs] != [("INT64", [-1])]:
        raise InvalidManifest("A model whose manifest has 'ranking' takes one input, INT64 of shape [-1]: users' rows.")

    return manifest.ranking


def _check_lengths(manifest: Manifest, ranking: Ranking, *, items: int, titles: int) -> None:
    scores = manifest.outputs[0]
    if not items:
        raise InvalidManifest(f"The asset {ranking.items!r} names no item.")
    if scores.shape != [-1, items]:
        raise InvalidManifest(
            f"Output {scores.name!r} has the shape {scores.shape}; with the {items} ids of {ranking.items!r} it is "
            f"[-1, {items}]."
        )
    if titles != items:
        raise InvalidManifest(f"The asset {ranking.titles!r} has {titles} titles for {items} items.")
