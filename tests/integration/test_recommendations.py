"""Recommendations through the web app, the inference client and a real runner, against plain numpy."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from app.errors import InvalidManifest
from model_store.files import copy_hashed
from model_store.manifest import MANIFEST_FILE, SAMPLES_FILE, encode_manifest
from tests.factories.ranking import UNKNOWN_USER, RankingWorld, assert_same_answer, make_world, ranking_draft
from tests.factories.runners import make_spec
from tests.factories.web import WebWorker
from tests.factories.web_runner import web_before
from workers.verification.limits import VerificationLimits
from workers.verification.verify import verify_isolated

PATH = "/api/v1/recommendations"
MODEL = {"name": "recommender", "version": 1, "variant": None}
LIMITS = VerificationLimits(memory_bytes=512 * 2**20, cpu_s=20, wall_s=30)
POISONED = 5
"""The row of a user for whom the model answers nonsense."""


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the runner's threads and sockets outlive a test: the runner is the module's, and ends with it."""


@pytest.fixture(scope="module")
def world() -> RankingWorld:
    world = make_world(users=300, items=200)
    world.scores[POISONED, 3] = float("nan")
    return world


@pytest.fixture(scope="module")
def web(world: RankingWorld) -> Iterator[WebWorker]:
    """A web worker in front of a runner of `recommender`."""
    with tempfile.TemporaryDirectory(prefix="galley-") as name:
        folder = Path(name)
        draft = ranking_draft(world, folder)
        parts = {"name": draft.name, "manifest": draft.manifest, "samples": None, "assets": draft.assets}
        with web_before(make_spec(folder, folder, world.model(), **parts), folder) as worker:
            yield worker


def sane_users(world: RankingWorld) -> list[int]:
    return [int(user) for row, user in enumerate(world.users) if row != POISONED]


def test_each_user_gets_what_numpy_says(caller: FlaskClient, world: RankingWorld) -> None:
    random = np.random.default_rng(0)
    for user_id in [*sane_users(world)[:60], UNKNOWN_USER]:
        exclude = random.choice(world.items, 7, replace=False).tolist()
        k = int(random.integers(1, 40))

        response = caller.post(PATH, json={"user_id": user_id, "k": k, "exclude": exclude})

        assert (response.status_code, response.json["model"]) == (200, MODEL)
        assert_same_answer(response.json, world.answer(user_id, k, tuple(exclude)))


@pytest.mark.parametrize("members", [{}, {"k": 1}, {"k": 1000, "exclude": [1, 2, 3, 10**9]}])
def test_256_users_are_answered_in_order(caller: FlaskClient, world: RankingWorld, members: dict[str, Any]) -> None:
    users = [*np.random.default_rng(1).permutation(sane_users(world))[:255].tolist(), UNKNOWN_USER]

    answer = caller.post(PATH, json={"user_ids": users, **members}).json

    assert answer["model"] == MODEL
    for result, user_id in zip(answer["results"], users, strict=True):
        wanted = world.answer(user_id, members.get("k", 10), tuple(members.get("exclude", ())))
        assert_same_answer(result, wanted)


def test_a_user_whose_scores_are_no_numbers_fails_alone(caller: FlaskClient, world: RankingWorld) -> None:
    bad, good = int(world.users[POISONED]), int(world.users[0])

    several = caller.post(PATH, json={"user_ids": [good, bad, UNKNOWN_USER]}).json["results"]
    alone = caller.post(PATH, json={"user_id": bad})

    assert_same_answer(several[0], world.answer(good))
    assert_same_answer(several[2], world.answer(UNKNOWN_USER))
    assert (several[1]["user_id"], several[1]["error"]["code"]) == (bad, "model_failed")
    assert (alone.status_code, alone.json["code"], "not numbers" in alone.json["detail"]) == (502, "model_failed", True)


def test_the_same_model_answers_tensors(caller: FlaskClient, world: RankingWorld) -> None:
    tensor = {"name": "user", "datatype": "INT64", "shape": [1], "data": [300]}

    response = caller.post("/v2/models/recommender/infer", json={"inputs": [tensor]})

    assert response.status_code == 200, response.text
    np.testing.assert_allclose(response.json["outputs"][0]["data"], world.scores[300], rtol=1e-6)


def stage(folder: Path, world: RankingWorld, assets: dict[str, Path]) -> Path:
    """Return a folder like one that is about to be published."""
    staged = folder / "staged"
    staged.mkdir()
    draft = ranking_draft(world, folder)
    sources = {"model.pt": draft.artifact, **{f"assets/{name}": path for name, path in assets.items()}}
    files = {}
    for name, source in sources.items():
        with source.open("rb") as file:
            files[name] = copy_hashed(file, staged / name)
    (staged / MANIFEST_FILE).write_bytes(encode_manifest(world.manifest(name="recommender", version=1, files=files)))
    assert not (staged / SAMPLES_FILE).exists()
    return staged


def test_verification_tries_a_version_with_its_assets(tmp_path: Path) -> None:
    world = make_world()

    manifest = verify_isolated(stage(tmp_path, world, world.save_assets(tmp_path)), limits=LIMITS).manifest

    assert manifest.ranking == world.manifest().ranking
    assert manifest.measured is not None
    assert manifest.measured.is_batch_safe


@pytest.mark.long
@pytest.mark.parametrize("missing", ["users.npy", "items.npy", "titles.json"])
def test_verification_misses_an_asset(tmp_path: Path, missing: str) -> None:
    world = make_world()
    assets = world.save_assets(tmp_path)
    del assets[missing]

    with pytest.raises(InvalidManifest, match=f"'{missing}', which the version does not have"):
        verify_isolated(stage(tmp_path, world, assets), limits=LIMITS)


def test_verification_refuses_hostile_assets(tmp_path: Path) -> None:
    world = make_world()
    assets = world.save_assets(tmp_path)
    np.save(tmp_path / "users.npy", np.array([print, "x"], object), allow_pickle=True)

    with pytest.raises(InvalidManifest, match="int64 in one dimension"):
        verify_isolated(stage(tmp_path, world, assets), limits=LIMITS)
