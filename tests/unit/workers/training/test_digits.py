"""Tests of the demo model digits, a little of it in every run and the whole in the long one."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from app.scenarios.images import decode_answer
from model_store.manifest import Manifest
from model_store.publisher import VersionDraft, publish
from model_store.reader import open_store
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.registry import make_pipeline
from workers.runner.proof import Proof, load_and_prove
from workers.training.digits import sample_pictures, train_digits
from workers.training.digits_training import Schedule

TINY = Schedule(drawn=20, scanned=32, plain_copies=1, epochs=1)

Read = Callable[[Image.Image], str]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_digits(tmp_path_factory.mktemp("tiny"), report=ignore, schedule=TINY)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> VersionDraft:
    return train_digits(tmp_path_factory.mktemp("trained"), report=ignore)


@pytest.fixture(scope="module")
def read(trained: VersionDraft, tmp_path_factory: pytest.TempPathFactory) -> Read:
    model, _ = prove(trained, tmp_path_factory.mktemp("store"))
    return lambda picture: label_of(model, png(picture))


def ignore(line: str) -> None:
    del line


def accept(folder: Path) -> Manifest | None:
    return None


def prove(draft: VersionDraft, store_dir: Path) -> tuple[LoadedModel, Proof]:
    store = open_store(str(store_dir / "store"), store_dir / "cache")
    return load_and_prove(store.local_folder(publish(store, draft, prove=accept)), budget_s=0.5)


def label_of(model: LoadedModel, data: bytes) -> str:
    """Send one file the whole way a runner sends it."""
    pipeline = make_pipeline(model.manifest, Limits())
    row = pipeline.prepare(data, pipeline.read_parameters({"top_k": 1}))
    answers = pipeline.encode([row], model.forward(row.inputs))
    assert isinstance(answers[0], bytes)
    return decode_answer(answers[0]).labels[0].label


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_what_was_trained_can_be_published_and_proven(tiny: VersionDraft, tmp_path: Path) -> None:
    model, proof = prove(tiny, tmp_path)

    assert model.manifest.labels == [str(digit) for digit in range(10)]
    assert proof.is_batch_safe


def test_training_again_is_the_same_and_leaves_no_trace(tiny: VersionDraft, tmp_path: Path) -> None:
    lines: list[str] = []
    random_state, threads = torch.get_rng_state(), torch.get_num_threads()
    again = train_digits(tmp_path, report=lines.append, schedule=TINY)

    assert again.samples == tiny.samples
    assert again.manifest.metrics == tiny.manifest.metrics
    assert f"{again.manifest.metrics['accuracy']:.1%} of held-out scans" in lines[-1]
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.get_num_threads() == threads


def test_sample_pictures_are_files_anyone_can_open(tmp_path: Path) -> None:
    paths = sample_pictures(tmp_path / "samples")

    assert [path.name for path in paths] == [f"digit-{digit}.png" for digit in range(10)]
    with Image.open(paths[7]) as picture:
        assert (picture.format, picture.size) == ("PNG", (64, 64))


@pytest.mark.long
def test_nearly_all_held_out_scans_and_photographs_are_read(trained: VersionDraft) -> None:
    assert trained.manifest.metrics["accuracy"] >= 0.97
    assert trained.manifest.metrics["photo_accuracy"] >= 0.96


@pytest.mark.long
def test_the_sample_pictures_are_read_rightly(read: Read, tmp_path: Path) -> None:
    labels = [read(Image.open(path)) for path in sample_pictures(tmp_path)]

    assert labels == [str(digit) for digit in range(10)]


@pytest.mark.long
@pytest.mark.parametrize("size", [(64, 64), (640, 480), (300, 700), (1800, 600), (2000, 2000)])
@pytest.mark.parametrize("tones", [(255, 0), (0, 255), (225, 70), (40, 210)], ids=str)
def test_printed_digits_off_centre_are_read_on_light_and_dark(
    read: Read, size: tuple[int, int], tones: tuple[int, int]
) -> None:
    """Print is none of what the network was trained on."""
    right = [read(printed(digit, size, tones)) == str(digit) for digit in range(10)]

    assert sum(right) >= 9


def printed(digit: int, size: tuple[int, int], tones: tuple[int, int]) -> Image.Image:
    width, height = size
    ground, ink = tones
    picture = Image.new("L", size, ground)
    font = ImageFont.load_default(size=min(size) * 0.6)
    ImageDraw.Draw(picture).text((width * 0.55, height * 0.45), str(digit), font=font, fill=ink, anchor="mm")
    return picture
