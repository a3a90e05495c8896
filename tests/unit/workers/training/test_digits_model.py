"""Tests of framing and reading."""

import pytest
import torch
from torch import Tensor

from workers.training.digits_model import CROP_SIDE, PICTURE_SIDE, DigitReader, Framing

ACROSS = torch.linspace(0.0, 1.0, PICTURE_SIDE)


@pytest.fixture(scope="module")
def framing() -> Framing:
    return Framing()


def seven(*, left: int = 34, top: int = 26, size: int = 40) -> Tensor:
    """Draw a seven of two strokes, white on black, [1, 1, 96, 96]."""
    picture = torch.zeros(1, 1, PICTURE_SIDE, PICTURE_SIDE)
    picture[..., top : top + 5, left : left + size // 2 + 5] = 1.0
    for step in range(size):
        column = left + (size - step) // 2
        picture[..., top + step, column : column + 5] = 1.0
    return picture


def on_paper(ink: Tensor, *, paper: float = 0.9, contrast: float = 0.7) -> Tensor:
    return paper - contrast * ink


def difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().mean())


def test_the_digit_fills_its_crop_whatever_its_size_and_place(framing: Framing) -> None:
    middle = framing(seven())

    assert middle.shape == (1, 1, CROP_SIDE, CROP_SIDE)
    assert difference(framing(seven(left=5, top=50)), middle) < 0.05
    assert difference(framing(seven(left=10, top=10, size=70)), middle) < 0.15


def test_ink_is_bright_whatever_the_polarity(framing: Framing) -> None:
    crops = framing(torch.cat([seven(), on_paper(seven()), on_paper(seven(), paper=0.5, contrast=0.1)]))

    assert difference(crops[0], crops[1]) < 0.01
    assert difference(crops[0], crops[2]) < 0.01


def test_uneven_light_leaves_no_ink(framing: Framing) -> None:
    lit = on_paper(seven()) * (1.0 - 0.5 * ACROSS)

    assert difference(framing(lit), framing(seven())) < 0.05


@pytest.mark.parametrize("is_turned", [False, True])
def test_black_bars_are_not_ink(framing: Framing, is_turned: bool) -> None:
    barred = on_paper(seven())
    barred[..., :20, :] = 0.0
    barred[..., 78:, :] = 0.0
    # What resizing makes of the edge of a bar.
    barred[..., 20, :] *= 0.5
    plain = on_paper(seven())
    if is_turned:
        barred, plain = barred.transpose(2, 3), plain.transpose(2, 3)

    assert difference(framing(barred), framing(plain)) < 0.02


def test_a_white_digit_that_touches_the_edge_of_a_black_screen_is_not_smeared(framing: Framing) -> None:
    assert difference(framing(seven(top=0)), framing(seven())) < 0.05


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_an_empty_picture_has_finite_scores(level: float) -> None:
    empty = torch.full((2, 1, PICTURE_SIDE, PICTURE_SIDE), level)

    assert bool(DigitReader().eval()(empty).isfinite().all())


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_row_is_read_alike_alone_and_among_others(batch: int) -> None:
    reader = DigitReader().eval()
    pictures = torch.rand(batch, 1, PICTURE_SIDE, PICTURE_SIDE)
    alone = torch.cat([reader(picture.unsqueeze(0)) for picture in pictures])

    torch.testing.assert_close(reader(pictures), alone, atol=1e-3, rtol=1e-3)


def test_scripting_changes_nothing() -> None:
    reader = DigitReader().eval()
    pictures = torch.cat([seven(), on_paper(seven(left=20))])
    scripted = torch.jit.freeze(torch.jit.script(reader))

    torch.testing.assert_close(scripted(pictures), reader(pictures), atol=1e-4, rtol=1e-4)
