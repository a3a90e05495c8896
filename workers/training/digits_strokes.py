"""Digits as a pen writes them, drawn as fields.

A field is a picture of how near the pen's path is, 1 on the path, 0 far away. Cutting it at a level gives a digit
of any stroke width at any size. Coordinates are x right, y down, the digit in 0..1.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from workers.training.digits_forms import FORMS, Form, Point, Stroke

FIELD_SIDE = 64
FIELD_REACH = 0.35
"""Distance from the path at which a field falls to 0, in digit heights; also the margin round the digit."""

_SEGMENTS = 36
# Few enough that a chunk's distances stay in the processor's cache.
_CHUNK = 4


def draw_fields(digits: Tensor, generator: Generator) -> Tensor:
    """Draw one written digit per entry of `digits` [N] in a random form and hand, as fields [N, 1, 64, 64]."""
    paths = _choose_forms(digits, generator)
    paths = _vary_hand(paths, generator)
    nibs = _random_nibs(len(digits), generator)
    fields = [
        _field(path, nib) for path, nib in zip(torch.split(paths, _CHUNK), torch.split(nibs, _CHUNK), strict=True)
    ]
    return torch.cat(fields).unsqueeze(1)


def form_path(form: Form) -> Tensor:
    """Return a form as straight segments [36, 2, 2], each a start and an end."""
    pieces = [piece for stroke in form for piece in _pieces(stroke)]
    lengths = torch.tensor([_length(piece) for piece in pieces])
    counts = (lengths / lengths.sum() * (_SEGMENTS - len(pieces))).floor().int() + 1
    counts[lengths.argmax()] += _SEGMENTS - int(counts.sum())
    return torch.cat([_segments(piece, int(count)) for piece, count in zip(pieces, counts, strict=True)])


def _choose_forms(digits: Tensor, generator: Generator) -> Tensor:
    paths = torch.empty(len(digits), _SEGMENTS, 2, 2)
    for digit, forms in FORMS.items():
        here = (digits == digit).nonzero().squeeze(1)
        choice = torch.randint(len(forms), (len(here),), generator=generator)
        paths[here] = torch.stack([form_path(form) for form in forms])[choice]
    return paths


def _pieces(stroke: Stroke) -> list[Sequence[Point]]:
    """Split a stroke at its corners."""
    corners = [at for at in range(1, len(stroke)) if stroke[at] == stroke[at - 1]]
    bounds = zip([0, *corners], [*corners, len(stroke)], strict=True)
    return [stroke[begin:end] for begin, end in bounds]


def _length(piece: Sequence[Point]) -> float:
    points = torch.tensor(piece)
    return float((points[1:] - points[:-1]).norm(dim=1).sum())


def _segments(piece: Sequence[Point], count: int) -> Tensor:
    """Cut the Catmull-Rom curve through a piece's points into `count` segments."""
    points = torch.tensor(piece)
    points = torch.cat([points[:1] * 2 - points[1:2], points, points[-1:] * 2 - points[-2:-1]])
    at = torch.linspace(0, len(piece) - 1, count + 1)
    knot = at.floor().clamp(max=len(piece) - 2).long()
    t = (at - knot).unsqueeze(1)
    a, b, c, d = (points[knot + step] for step in range(4))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return torch.stack([curve[:-1], curve[1:]], dim=1)


def _vary_hand(paths: Tensor, generator: Generator) -> Tensor:
    """Bend each digit: move its waist, change its width, and push its points about smoothly."""
    count = len(paths)
    uniform = _uniform((count, 1, 1, 4), generator)
    x, y = paths.unbind(dim=-1)
    y = y.clamp(min=0.0) ** (0.75 + 0.6 * uniform[..., 0])
    x = (x - 0.5) * (0.45 + 0.65 * uniform[..., 1]) + 0.5
    bent = torch.stack([x, y], dim=-1)
    for _ in range(2):
        wave = torch.randn(count, 1, 1, 2, 2, generator=generator) * 2.5
        phase = _uniform((count, 1, 1, 2), generator) * 2 * torch.pi
        push = torch.sin((bent.unsqueeze(-2) * wave).sum(dim=-1) + phase)
        bent = bent + 0.045 * torch.randn(count, 1, 1, 2, generator=generator) * push
    return bent


def _random_nibs(count: int, generator: Generator) -> Tensor:
    """Return how a broad nib sees distances: matrices [N, 2, 2], near the identity for most."""
    angle = _uniform((count,), generator) * torch.pi
    stretch = torch.exp(0.55 * _uniform((count,), generator) ** 3)
    axis = torch.stack([angle.cos(), angle.sin()], dim=1)
    across = axis.unsqueeze(2) * axis.unsqueeze(1)
    identity = torch.eye(2).expand(count, 2, 2)
    return identity / stretch[:, None, None] + across * (stretch - 1 / stretch)[:, None, None]


def _field(paths: Tensor, nibs: Tensor) -> Tensor:
    """Return nearness to the paths [N, S, 2, 2] at every pixel, as [N, 64, 64]."""
    ends = torch.matmul(paths.flatten(1, 2), nibs).view_as(paths)
    pixels = torch.matmul(_pixels(), nibs)
    start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    squared = along.square().sum(dim=2).clamp(min=1e-8)
    offset = torch.bmm(along, pixels.transpose(1, 2)) - (along * start).sum(dim=2, keepdim=True)
    t = (offset / squared.unsqueeze(2)).clamp(0.0, 1.0)
    # |p - s - t·a|² = |p - s|² - 2t·a·(p - s) + t²|a|², without a tensor of differences.
    reach = torch.cdist(start, pixels).square() + t * (t * squared.unsqueeze(2) - 2 * offset)
    nearest = reach.amin(dim=1).clamp(min=0.0).sqrt()
    return (1.0 - nearest / FIELD_REACH).clamp(min=0.0).view(-1, FIELD_SIDE, FIELD_SIDE)


def _pixels() -> Tensor:
    centres = (torch.arange(FIELD_SIDE) + 0.5) / FIELD_SIDE * (1 + 2 * FIELD_REACH) - FIELD_REACH
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x, y], dim=2).view(-1, 2)


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator)
