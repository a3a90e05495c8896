"""Photographs of digits, made up: placed, inked, lit, blurred, compressed and framed at random."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from workers.training.digits_model import PICTURE_SIDE
from workers.training.digits_strokes import FIELD_REACH

_SMALLEST = 0.2
_BLOCK = 8
# Sides a picture may have had before it reached 96 pixels; each photograph of one call shares it.
_SIDES = (96, 96, 96, 64, 48, 32, 24)


@dataclass(frozen=True)
class Glyphs:
    """Digits before they are inked: fields [N, 1, 64, 64], labels [N], and which are scans rather than strokes [N]."""

    fields: Tensor
    labels: Tensor
    is_scan: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def pick(self, rows: Tensor) -> "Glyphs":
        """Return the glyphs at `rows`."""
        return Glyphs(self.fields[rows], self.labels[rows], self.is_scan[rows])


@dataclass(frozen=True)
class _Layout:
    """Where things lie in a picture that spans -1..1, each [N]."""

    frame_x: Tensor
    frame_y: Tensor
    centre_x: Tensor
    centre_y: Tensor
    height: Tensor


def photograph(glyphs: Glyphs, generator: Generator) -> Tensor:
    """Return one photograph per glyph, [N, 1, 96, 96] in 0..1, as the network's preprocessing would deliver it."""
    side = _SIDES[int(torch.randint(len(_SIDES), (1,), generator=generator))]
    layout = _lay_out(len(glyphs), max(_SMALLEST, 10.0 / side), generator)
    ink = _ink(_place(glyphs.fields, layout, generator), glyphs.is_scan, layout, generator)
    picture = _tone(ink, generator) * _light(len(glyphs), generator)
    picture = _coarsen(_blur(picture, generator), side)
    picture = _mirror_tones(picture, generator)
    picture = _compress(_grain(picture, generator), generator)
    return _quantise(picture) * _frame(layout)


def _lay_out(count: int, smallest: float, generator: Generator) -> _Layout:
    """Choose a frame (one in three is not square), then a digit that fits into it, anywhere."""
    narrow = 1.0 - 0.6 * _chance(count, 0.33, generator) * _uniform(count, generator)
    is_wide = _chance(count, 0.5, generator)
    frame_x, frame_y = narrow ** (1 - is_wide), narrow**is_wide
    shorter = narrow.clamp(min=smallest)
    height = torch.exp(torch.log(shorter) + _uniform(count, generator) * (smallest / shorter).log())
    reach_x, reach_y = (frame_x - height).clamp(min=0.0), (frame_y - height).clamp(min=0.0)
    # Most people aim at the middle.
    aim = _between(count, 0.2, 1.0, generator)
    centre_x = reach_x * aim * _between(count, -1.0, 1.0, generator)
    centre_y = reach_y * aim * _between(count, -1.0, 1.0, generator)
    return _Layout(frame_x, frame_y, centre_x, centre_y, height)


def _place(fields: Tensor, layout: _Layout, generator: Generator) -> Tensor:
    """Turn, shear and stretch each field a little and set it into its picture."""
    count = len(fields)
    angle = 0.13 * torch.randn(count, generator=generator)
    shear = 0.18 * torch.randn(count, generator=generator)
    stretch = torch.exp(0.1 * torch.randn(count, generator=generator))
    size = 1.0 / (layout.height * 0.97 * (1 + 2 * FIELD_REACH))
    cos, sin = angle.cos() * size, angle.sin() * size
    matrix = torch.stack([cos * stretch + sin * shear, sin + cos * shear, -sin, cos / stretch], dim=1).view(-1, 2, 2)
    shift = -torch.bmm(matrix, torch.stack([layout.centre_x, layout.centre_y], dim=1).unsqueeze(2))
    grid = functional.affine_grid(
        torch.cat([matrix, shift], dim=2), [count, 1, PICTURE_SIDE, PICTURE_SIDE], align_corners=False
    )
    return functional.grid_sample(fields, grid, align_corners=False)


def _ink(placed: Tensor, is_scan: Tensor, layout: _Layout, generator: Generator) -> Tensor:
    """Cut the fields at a level: a pen's half width for strokes, a grey for scans; the edge a pixel wide or softer."""
    count = len(placed)
    pixel = 2.0 / PICTURE_SIDE / (2 * layout.height)
    radius = torch.maximum(torch.exp(_between(count, -4.2, -2.25, generator)), 0.5 * pixel)
    edge = 0.5 * pixel * _between(count, 1.0, 2.5, generator)
    level = torch.where(is_scan, _between(count, 0.25, 0.6, generator), 1.0 - radius / FIELD_REACH)
    softness = torch.where(is_scan, _between(count, 0.06, 0.5, generator), edge / FIELD_REACH)
    return ((placed - _each(level)) / (2 * _each(softness)) + 0.5).clamp(0.0, 1.0)


def _tone(ink: Tensor, generator: Generator) -> Tensor:
    """Lay the ink, a little uneven and dusty, on paper that is brighter by a chosen contrast."""
    count = len(ink)
    paper = _between(count, 0.35, 1.0, generator)
    contrast = paper * _between(count, 0.25, 1.0, generator)
    wear = _smooth_noise(count, 12, generator) * _each(_between(count, 0.0, 0.4, generator))
    dust = (torch.rand(ink.shape, generator=generator) < 4e-4).float() * _each(_chance(count, 0.3, generator))
    lines = _ruling(count, generator)
    return _each(paper) - _each(contrast) * torch.maximum(torch.maximum(ink * (1.0 - wear), lines), dust)


def _ruling(count: int, generator: Generator) -> Tensor:
    """Return faint ruled lines for one picture in eight."""
    pitch = _each(_between(count, 0.15, 0.6, generator))
    y = _centres().view(1, 1, -1, 1) + _each(_uniform(count, generator))
    is_line = ((y / pitch) % 1.0 < 0.025 / pitch).float() * _each(_chance(count, 0.12, generator))
    return (is_line * _each(_between(count, 0.05, 0.22, generator))).expand(-1, 1, -1, PICTURE_SIDE)


def _light(count: int, generator: Generator) -> Tensor:
    """Return the light that falls on each picture: a slope, a vignette, and for some the soft edge of a shadow."""
    x, y = _centres().view(1, 1, 1, -1), _centres().view(1, 1, -1, 1)
    angle = _each(_uniform(count, generator) * 2 * torch.pi)
    across = x * angle.cos() + y * angle.sin()
    slope = 1.0 - _each(_between(count, 0.0, 0.3, generator)) * (1.0 + across) / 1.4
    vignette = 1.0 - _each(_between(count, 0.0, 0.12, generator)) * (x * x + y * y)
    depth = _each(_chance(count, 0.15, generator) * _between(count, 0.05, 0.3, generator))
    place, width = _each(_between(count, -0.8, 0.8, generator)), _each(_between(count, 0.1, 0.6, generator))
    return slope * vignette * (1.0 - depth * torch.sigmoid((x - y - place) / width))


def _blur(pictures: Tensor, generator: Generator) -> Tensor:
    """Soften each picture by its own amount."""
    soft = functional.avg_pool2d(functional.pad(pictures, [2] * 4, mode="replicate"), 3, stride=1)
    soft = functional.avg_pool2d(soft, 3, stride=1)
    amount = _each(_uniform(len(pictures), generator) * _chance(len(pictures), 0.6, generator))
    return torch.lerp(pictures, soft, amount)


def _coarsen(pictures: Tensor, side: int) -> Tensor:
    """Make the pictures what is left of them after they were `side` pixels wide."""
    if side == PICTURE_SIDE:
        return pictures

    small = functional.interpolate(pictures, size=[side, side], mode="bilinear", antialias=True)
    return functional.interpolate(small, size=[PICTURE_SIDE] * 2, mode="bilinear")


def _mirror_tones(pictures: Tensor, generator: Generator) -> Tensor:
    """Turn half of the pictures into bright ink on dark ground."""
    return (pictures - _each(_chance(len(pictures), 0.5, generator))).abs()


def _grain(pictures: Tensor, generator: Generator) -> Tensor:
    """Add a sensor's noise."""
    strength = _each(_between(len(pictures), 0.0, 0.05, generator) * _chance(len(pictures), 0.7, generator))
    return pictures + strength * torch.randn(pictures.shape, generator=generator)


def _compress(pictures: Tensor, generator: Generator) -> Tensor:
    """Quantise the cosine transform of 8×8 blocks, coarser for higher frequencies, as JPEG does."""
    count, blocks = len(pictures), PICTURE_SIDE // _BLOCK
    cosines = _cosines()
    order = torch.arange(_BLOCK).float()
    coarseness = _between(count, 0.002, 0.03, generator).view(-1, 1, 1, 1, 1)
    step = coarseness * (1.0 + order.view(-1, 1) + order)
    tiles = pictures.view(count, blocks, _BLOCK, blocks, _BLOCK).transpose(2, 3)
    waves = torch.round(torch.matmul(torch.matmul(cosines, tiles), cosines.t()) / step) * step
    return torch.matmul(torch.matmul(cosines.t(), waves), cosines).transpose(2, 3).reshape(pictures.shape)


def _cosines() -> Tensor:
    """Return the orthonormal DCT-II matrix of one block."""
    order = torch.arange(_BLOCK).float()
    matrix = torch.cos(torch.pi / _BLOCK * (order + 0.5) * order.view(-1, 1)) * math.sqrt(2.0 / _BLOCK)
    matrix[0] *= math.sqrt(0.5)
    return matrix


def _quantise(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0.0, 1.0) * 255).round() / 255


def _frame(layout: _Layout) -> Tensor:
    """Return 1 inside each frame and 0 on the bars that padding to a square adds."""
    inside_x = _centres().abs() <= _each(layout.frame_x)
    inside_y = _centres().view(-1, 1).abs() <= _each(layout.frame_y)
    return (inside_x & inside_y).float()


def _smooth_noise(count: int, side: int, generator: Generator) -> Tensor:
    noise = torch.rand(count, 1, side, side, generator=generator)
    return functional.interpolate(noise, size=[PICTURE_SIDE] * 2, mode="bilinear")


def _centres() -> Tensor:
    return (torch.arange(PICTURE_SIDE) + 0.5) * (2.0 / PICTURE_SIDE) - 1.0


def _each(values: Tensor) -> Tensor:
    """Shape one value per picture so that it spreads over the pixels."""
    return values.view(-1, 1, 1, 1)


def _uniform(count: int, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator)


def _between(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return low + (high - low) * _uniform(count, generator)


def _chance(count: int, share: float, generator: Generator) -> Tensor:
    return (_uniform(count, generator) < share).float()
