"""The ranking pipeline against plain numpy: whose row, which items, in which order, and what it refuses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from app.errors import GalleyError, InvalidFields, InvalidManifest, ModelFailed
from app.scenarios.recommendations import RankingRow, decode_row, encode_row
from model_store.manifest import Ranking
from tests.factories.models import tensor
from tests.factories.ranking import UNKNOWN_USER, RankingWorld, assert_same_answer, make_world
from tests.factories.tensors import spec
from workers.runner.assets import Assets
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.ranking import RankingPipeline

Wish = tuple[int, int, tuple[int, ...]]


def make_pipeline(folder: Path, world: RankingWorld, **changes: Any) -> RankingPipeline:
    """Return the pipeline of a world, its manifest changed."""
    return RankingPipeline(world.manifest(**changes), Limits(), Assets(world.save_assets(folder)))


def answers(pipeline: RankingPipeline, world: RankingWorld, wishes: Sequence[Wish]) -> list[bytes | GalleyError]:
    """Answer wishes in one batch: users, how many items, and which not."""
    rows = [pipeline.prepare(encode_row(RankingRow(user, k, list(exclude))), None) for user, k, exclude in wishes]
    places = [int(tensor(row.inputs[0])) for row in rows]
    return pipeline.encode(rows, [torch.from_numpy(world.scores[places])])


def random_wishes(world: RankingWorld, count: int, seed: int) -> list[Wish]:
    """Return wishes of known and unknown users for few and many items, most of them excluding some."""
    random = np.random.default_rng(seed)
    users = [*world.users.tolist(), UNKNOWN_USER]
    unknown = int(world.items.max()) + 1
    wishes = []
    for _ in range(count):
        excluded = [*random.choice(world.items, random.integers(0, 9), replace=False).tolist(), unknown]
        k = int(random.choice([1, 3, 10, 29, 1000]))
        wishes.append((int(random.choice(users)), k, tuple(excluded) if random.random() < 0.7 else ()))
    return wishes


@pytest.mark.parametrize("has_titles", [True, False])
@pytest.mark.parametrize("size", [1, 2, 32])
def test_each_row_of_a_batch_gets_what_numpy_says(tmp_path: Path, size: int, has_titles: bool) -> None:
    world = make_world(has_titles=has_titles)
    pipeline = make_pipeline(tmp_path, world)

    for seed in range(8):
        wishes = random_wishes(world, size, seed)
        for answer, wish in zip(answers(pipeline, world, wishes), wishes, strict=True):
            assert isinstance(answer, bytes)
            assert_same_answer(answer, world.answer(*wish))


def test_scores_of_the_model_are_not_written_to(tmp_path: Path) -> None:
    world = make_world()
    pipeline, item = make_pipeline(tmp_path, world), int(world.items[0])
    row = pipeline.prepare(encode_row(RankingRow(int(world.users[0]), 5, [item])), None)
    scores = torch.from_numpy(world.scores[:1].copy())

    pipeline.encode([row], [scores])

    assert torch.equal(scores, torch.from_numpy(world.scores[:1]))


def test_a_user_with_nothing_left_gets_no_items(tmp_path: Path) -> None:
    world = make_world()

    (answer,) = answers(make_pipeline(tmp_path, world), world, [(UNKNOWN_USER, 5, tuple(world.items.tolist()))])

    assert isinstance(answer, bytes)
    assert msgspec.json.decode(answer) == {"user_id": UNKNOWN_USER, "items": [], "cold_start": True}


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_fail_their_row_alone(tmp_path: Path, poison: float) -> None:
    world = make_world()
    world.scores[1, 7] = poison
    wishes = [(int(user), 3, ()) for user in world.users[:3]]

    first, second, third = answers(make_pipeline(tmp_path, world), world, wishes)

    assert isinstance(second, ModelFailed)
    for answer, wish in ((first, wishes[0]), (third, wishes[2])):
        assert isinstance(answer, bytes)
        assert_same_answer(answer, world.answer(*wish))


def test_scores_may_be_of_another_width(tmp_path: Path) -> None:
    world = make_world()
    pipeline = make_pipeline(tmp_path, world, outputs=[spec("scores", "FP64", [-1, len(world.items)])])
    row = pipeline.prepare(encode_row(RankingRow(int(world.users[4]), 5, [])), None)

    (answer,) = pipeline.encode([row], [torch.from_numpy(world.scores[4:5]).double()])

    assert isinstance(answer, bytes)
    assert_same_answer(answer, world.answer(int(world.users[4]), 5))


@pytest.mark.parametrize("row", [b"", b"\xc0", b"not a row", encode_row([1, 0, []]), encode_row([2**64 - 1, 1, []])])
def test_rows_that_nobody_sends_are_refused(tmp_path: Path, row: bytes) -> None:
    with pytest.raises(InvalidFields):
        make_pipeline(tmp_path, make_world()).prepare(row, None)


def test_parameters_are_refused(tmp_path: Path) -> None:
    pipeline = make_pipeline(tmp_path, make_world())

    assert pipeline.read_parameters({}) is None  # type: ignore[func-returns-value]
    with pytest.raises(InvalidFields, match="parameters"):
        pipeline.read_parameters({"k": 5})


@pytest.mark.parametrize(
    ("cold_row", "wanted_row"), [(40, 40), (3, 39)], ids=["cold row behind all users", "cold row is a user's"]
)
def test_rehearses_with_the_last_row_that_it_knows_of(tmp_path: Path, cold_row: int, wanted_row: int) -> None:
    section = Ranking(users="users.npy", items="items.npy", cold_row=cold_row)
    pipeline = make_pipeline(tmp_path, make_world(), ranking=section)

    rehearsal = pipeline.rehearsal()

    assert int(tensor(pipeline.prepare(rehearsal.data, None).inputs[0])) == wanted_row
    assert decode_row(rehearsal.data).k == 10


WORLD = make_world()
SECTION = Ranking(users="users.npy", items="items.npy", titles="titles.json", cold_row=40)
MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"inputs": [spec("user", "INT32", [-1])]}, "one input, INT64"),
    ({"inputs": [spec("user", "INT64", [-1, 1])]}, "one input, INT64"),
    ({"inputs": [spec("user", "INT64", [-1]), spec("item", "INT64", [-1])]}, "one input, INT64"),
    ({"outputs": [spec("scores", "FP32", [-1, 31])]}, r"\[-1, 31\]; with the 30 ids of 'items.npy' it is \[-1, 30\]"),
    ({"outputs": [spec("scores", "FP32", [-1, -1])]}, r"it is \[-1, 30\]"),
    ({"ranking": None}, "lacks 'ranking'"),
    ({"ranking": msgspec.structs.replace(SECTION, users="nobody.npy")}, "'nobody.npy', which the version does not"),
    ({"ranking": msgspec.structs.replace(SECTION, users="titles.json")}, "'titles.json' is no array"),
    ({"ranking": msgspec.structs.replace(SECTION, titles="users.npy")}, "'users.npy' is no JSON list"),
]


@pytest.mark.parametrize(("changes", "complaint"), MISFITS)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidManifest, match=complaint):
        make_pipeline(tmp_path, WORLD, **changes)


@pytest.mark.parametrize(
    ("changes", "complaint"), [({"titles": ["one"]}, "1 titles for 30 items"), ({"items": WORLD.items[:0]}, "no item")]
)
def test_assets_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    world = make_world()
    assets = Assets(RankingWorld(**{**vars(world), **changes}).save_assets(tmp_path))

    with pytest.raises(InvalidManifest, match=complaint):
        RankingPipeline(world.manifest(), Limits(), assets)
