"""Tests of training on very little."""

import pytest
import torch
from torch import Generator, Tensor, nn

from workers.training.digits_data import Scans, load_scans
from workers.training.digits_model import PICTURE_SIDE, Framing
from workers.training.digits_training import (
    Schedule,
    accuracy,
    choose_glyphs,
    enlarge,
    jitter,
    make_crops,
    train_reader,
)

TINY = Schedule(drawn=20, scanned=30, plain_copies=2, epochs=2, batch=16)


def seeded() -> Generator:
    return Generator().manual_seed(0)


def ignore(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def scans() -> Scans:
    training, _ = load_scans(0)
    return Scans(training.pictures[:40], training.labels[:40])


def test_glyphs_are_drawings_then_scans(scans: Scans) -> None:
    glyphs = choose_glyphs(scans, TINY, seeded())

    assert glyphs.labels.tolist() == [*range(10), *range(10), *scans.labels[:30].tolist()]
    assert glyphs.is_scan.tolist() == [False] * 20 + [True] * 30


def test_crops_are_the_scans_as_they_are_and_photographs(scans: Scans) -> None:
    crops, labels = make_crops(Framing(), scans, TINY, seeded(), ignore)

    assert crops.shape == (2 * 40 + 20 + 30, 1, 28, 28)
    assert torch.equal(crops[:40], crops[40:80])
    assert torch.equal(labels[:40], scans.labels)
    assert sorted(labels[80:].tolist()) == sorted([*range(10), *range(10), *scans.labels[:30].tolist()])


def test_jitter_moves_each_crop_in_its_own_way() -> None:
    crops = torch.zeros(2, 1, 28, 28)
    crops[..., 8:20, 12:16] = 1.0
    moved = jitter(crops, seeded())

    assert moved.shape == crops.shape
    assert float(moved.max()) <= 1.0
    assert not torch.allclose(moved[0], moved[1], atol=0.1)
    torch.testing.assert_close(moved.sum(), crops.sum(), rtol=0.4, atol=0)


def test_enlarging_keeps_the_greys(scans: Scans) -> None:
    large = enlarge(scans.pictures)

    assert large.shape == (40, 1, PICTURE_SIDE, PICTURE_SIDE)
    torch.testing.assert_close(large.mean(), scans.pictures.mean(), rtol=0.02, atol=0)


def test_accuracy_is_the_share_of_right_readings() -> None:
    batches: list[tuple[Tensor, Tensor]] = [
        (torch.eye(3), torch.tensor([0, 1, 1])),
        (torch.eye(1), torch.tensor([0])),
    ]

    assert accuracy(nn.Identity(), iter(batches)) == 0.75


def test_training_learns_the_scans_it_sees(scans: Scans) -> None:
    torch.manual_seed(0)
    schedule = Schedule(drawn=0, scanned=32, plain_copies=8, epochs=6, batch=16)
    reader = train_reader(scans, schedule, seeded(), ignore)

    assert not reader.training
    assert accuracy(reader, iter([(enlarge(scans.pictures), scans.labels)])) > 0.8
