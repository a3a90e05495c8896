"""A model is read by the pipeline of its task, and by that of tensors whatever its task."""

import re
from pathlib import Path
from typing import get_args

import pytest

from app.errors import InvalidManifest
from app.inference.messages import Form
from model_store.manifest import Manifest, Task, TensorSpec, decode_manifest
from tests.architecture.source import ROOT
from tests.factories.models import colour_manifest
from tests.factories.ranking import make_world
from tests.factories.scoring import RISK_FILE
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.images import ImagePipeline
from workers.runner.pipelines.ranking import RankingPipeline
from workers.runner.pipelines.registry import make_pipeline, make_pipelines
from workers.runner.pipelines.tensors import TensorPipeline


def ranking_manifest() -> Manifest:
    """Return the manifest of a model whose scenario nobody serves."""
    inputs = [TensorSpec(name="user", datatype="INT64", shape=[-1])]
    outputs = [TensorSpec(name="scores", datatype="FP32", shape=[-1, 9])]
    return Manifest(task="ranking", inputs=inputs, outputs=outputs, max_batch_size=8)


def test_every_model_can_be_asked_for_tensors() -> None:
    pipelines = make_pipelines(colour_manifest(), Limits())

    assert isinstance(pipelines[Form.SCENARIO], ImagePipeline)
    assert isinstance(pipelines[Form.TENSORS], TensorPipeline)


def test_a_task_without_a_scenario_has_tensors_only() -> None:
    assert set(make_pipelines(ranking_manifest(), Limits())) == {Form.TENSORS}


def test_a_ranking_model_that_says_who_its_rows_are_has_a_scenario(tmp_path: Path) -> None:
    world = make_world()

    pipelines = make_pipelines(world.manifest(), Limits(), Assets(world.save_assets(tmp_path)))

    assert isinstance(pipelines[Form.SCENARIO], RankingPipeline)
    with pytest.raises(InvalidManifest, match="does not have"):
        make_pipelines(world.manifest(), Limits())


def test_rehearses_with_the_scenario_where_there_is_one() -> None:
    assert isinstance(make_pipeline(colour_manifest(), Limits()), ImagePipeline)
    assert isinstance(make_pipeline(ranking_manifest(), Limits()), TensorPipeline)


def test_a_manifest_that_does_not_fit_its_task_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="ranking"):
        make_pipelines(colour_manifest(task="ranking"), Limits())


def assets_for(manifest: Manifest, folder: Path) -> Assets:
    """Return assets as large as a manifest's signature says; none where it does not name any."""
    if manifest.scoring is not None:
        path = folder / "risk.json"
        path.write_bytes(RISK_FILE)
        return Assets({str(manifest.scoring.merchant_risk): path})
    if manifest.ranking is None:
        return NO_ASSETS

    items = manifest.outputs[0].shape[1]
    return Assets(make_world(users=manifest.ranking.cold_row, items=items).save_assets(folder))


def test_the_documented_examples_fit_their_tasks(tmp_path: Path) -> None:
    examples = re.findall(r'```json\n(\{\n  "task".*?)```', (ROOT / "docs/models.md").read_text("utf-8"), re.DOTALL)
    manifests = [decode_manifest(example.encode()) for example in examples]
    made = [make_pipelines(manifest, Limits(), assets_for(manifest, tmp_path)) for manifest in manifests]

    assert {manifest.task for manifest in manifests} == set(get_args(Task))
    assert all(Form.TENSORS in pipelines for pipelines in made)
    assert any(isinstance(pipelines.get(Form.SCENARIO), RankingPipeline) for pipelines in made)
