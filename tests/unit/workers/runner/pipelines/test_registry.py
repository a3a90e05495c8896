"""A model is read by the pipeline of its task, and by that of tensors whatever its task."""

import re
from typing import get_args

import pytest

from app.errors import InvalidManifest
from app.inference.messages import Form
from model_store.manifest import Manifest, Task, TensorSpec, decode_manifest
from tests.architecture.source import ROOT
from tests.factories.models import colour_manifest
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.images import ImagePipeline
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


def test_rehearses_with_the_scenario_where_there_is_one() -> None:
    assert isinstance(make_pipeline(colour_manifest(), Limits()), ImagePipeline)
    assert isinstance(make_pipeline(ranking_manifest(), Limits()), TensorPipeline)


def test_a_manifest_that_does_not_fit_its_task_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="ranking"):
        make_pipelines(colour_manifest(task="ranking"), Limits())


def test_the_documented_examples_fit_their_tasks() -> None:
    examples = re.findall(r'```json\n(\{\n  "task".*?)```', (ROOT / "docs/models.md").read_text("utf-8"), re.DOTALL)
    manifests = [decode_manifest(example.encode()) for example in examples]

    assert {manifest.task for manifest in manifests} == set(get_args(Task))
    assert all(Form.TENSORS in make_pipelines(manifest, Limits()) for manifest in manifests)
