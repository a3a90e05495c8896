"""Tests of made-up photographs."""

import pytest
import torch
from torch import Generator, Tensor

from workers.training.digits_photos import Glyphs, photograph
from workers.training.digits_strokes import draw_fields


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    digits = torch.arange(64) % 10
    return Glyphs(draw_fields(digits, Generator().manual_seed(0)), digits, torch.arange(64) % 2 == 0)


@pytest.fixture(scope="module")
def photos(glyphs: Glyphs) -> Tensor:
    return photograph(glyphs, Generator().manual_seed(1))


def test_photographs_are_pictures_of_256_greys(photos: Tensor) -> None:
    assert photos.shape == (64, 1, 96, 96)
    assert float(photos.min()) >= 0.0
    assert float(photos.max()) <= 1.0
    torch.testing.assert_close(photos * 255, (photos * 255).round(), atol=1e-4, rtol=0)


def test_the_seed_decides_the_photographs(glyphs: Glyphs, photos: Tensor) -> None:
    assert torch.equal(photos, photograph(glyphs, Generator().manual_seed(1)))
    assert not torch.equal(photos, photograph(glyphs, Generator().manual_seed(2)))


def test_paper_is_bright_in_some_and_dark_in_others(photos: Tensor) -> None:
    paper = photos.flatten(1).median(dim=1).values

    assert float(paper.min()) < 0.3
    assert float(paper.max()) > 0.7


def test_some_are_not_square_and_lie_between_black_bars(photos: Tensor) -> None:
    is_barred = (photos[:, 0, 0] == 0).all(dim=1) | (photos[:, 0, :, 0] == 0).all(dim=1)

    assert 8 < int(is_barred.sum()) < 40


def test_picking_keeps_what_belongs_together(glyphs: Glyphs) -> None:
    picked = glyphs.pick(torch.tensor([5, 2]))

    assert (len(picked), picked.labels.tolist(), picked.is_scan.tolist()) == (2, [5, 2], [False, True])
    assert torch.equal(picked.fields[1], glyphs.fields[2])
