"""The task of a manifest finds its pipeline."""

import pytest

from app.errors import InvalidManifest
from tests.factories.models import colour_manifest
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.images import ImagePipeline
from workers.runner.pipelines.registry import make_pipeline


def test_finds_the_pipeline_of_a_task() -> None:
    assert isinstance(make_pipeline(colour_manifest(), Limits()), ImagePipeline)


def test_a_task_without_pipeline_is_named() -> None:
    with pytest.raises(InvalidManifest, match=r"No pipeline does 'ranking'.*image-classification"):
        make_pipeline(colour_manifest(task="ranking"), Limits())
