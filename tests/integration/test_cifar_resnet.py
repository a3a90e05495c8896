"""A real trained network goes the whole way: state dict, TorchScript, store, runner, labels of real photos."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inference.messages import RunnerState
from model_store.publisher import publish
from tests.factories.cifar_resnet import CLASSES, cifar_draft
from tests.factories.runners import Caller, running
from tests.factories.versions import make_store
from workers.runner.process import RunnerSpec
from workers.runner.proof import load_and_prove

pytestmark = [
    pytest.mark.needs_data,
    pytest.mark.skipif("GALLEY_DATA" not in os.environ, reason="GALLEY_DATA names no folder with the real data"),
]

# What each photo shows; both are of classes that the network knows.
PHOTOS = {"chelsea.png": "cat", "horse.png": "horse"}


def proven(folder: Path) -> None:
    load_and_prove(folder)


@pytest.fixture(scope="module")
def data() -> Path:
    return Path(os.environ["GALLEY_DATA"])


@pytest.fixture(scope="module")
def spec(data: Path) -> Iterator[RunnerSpec]:
    """The spec of a runner of the published network, in a folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="galley-"))
    store = make_store(folder)
    state_dict = data / "cifar10-resnet20" / "cifar10_resnet20.state_dict.pt"
    ref = publish(store, cifar_draft(state_dict, folder), prove=proven)
    yield RunnerSpec(
        ref=ref,
        digest=store.digest(ref),
        folder=store.local_folder(ref),
        address=f"ipc://{folder}/cifar.sock",
        queue_rows=64,
        threads=2,
        max_image_pixels=10_000_000,
        drain_s=10.0,
        state_redis_url=f"unix://{folder}/no-redis.sock",
        redis_timeout_s=1.0,
    )
    shutil.rmtree(folder)


@pytest.fixture
def caller(spec: RunnerSpec) -> Iterator[Caller]:
    with running(spec) as (_runner, caller):
        caller.wait_for(RunnerState.READY)
        yield caller


def test_real_photos_get_their_labels(caller: Caller, data: Path) -> None:
    folder = data / "images-publicdomain-skimage"
    reply, answers = caller.classify([(folder / name).read_bytes() for name in PHOTOS], top_k=len(CLASSES))

    assert reply.failures == []
    for answer, label in zip(answers, PHOTOS.values(), strict=True):
        assert answer is not None
        assert answer.labels[0].label == label
        assert answer.labels[0].score > 0.5
        assert sum(score.score for score in answer.labels) == pytest.approx(1.0, abs=1e-5)


def test_photos_of_nothing_it_knows_are_answered_too(caller: Caller, data: Path) -> None:
    flowers = sorted((data / "images-flowers-ccby").rglob("*.jpg"))[:32]
    reply, answers = caller.classify([path.read_bytes() for path in flowers], top_k=1)

    assert reply.failures == []
    assert all(answer is not None and answer.labels[0].label in CLASSES for answer in answers)


def test_a_batch_answers_as_each_photo_alone(caller: Caller, data: Path) -> None:
    photos = [path.read_bytes() for path in sorted((data / "images-flowers-ccby").rglob("*.jpg"))[:8]]
    _, together = caller.classify(photos, top_k=3)

    for photo, answer in zip(photos, together, strict=True):
        _, (alone,) = caller.classify([photo], top_k=3)
        assert alone is not None
        assert answer is not None
        assert [label.label for label in alone.labels] == [label.label for label in answer.labels]
        assert [label.score for label in alone.labels] == pytest.approx(
            [label.score for label in answer.labels], abs=1e-4
        )
