"""The digits network: find the digit in the picture, then read it; both parts are TorchScript.

Framing is part of the artifact, not of the manifest's preprocessing, since polarity, light and place are found
per picture by arithmetic on the whole batch.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

PICTURE_SIDE = 96
CROP_SIDE = 28


class DigitReader(nn.Module):
    """Pictures [N, 1, 96, 96] in 0..1, of any polarity, to logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.framing = Framing()
        self.classifier = DigitClassifier()

    def forward(self, pictures: Tensor) -> Tensor:
        """Return one row of logits per picture."""
        return self.classifier(self.framing(pictures))  # type: ignore[no-any-return]


class DigitClassifier(nn.Module):
    """Crops [N, 1, 28, 28], ink 1 on paper 0, to logits [N, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(_block(1, 16), _block(16, 32), _block(32, 64), nn.Flatten())
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(64 * 9, 96), nn.ReLU(), nn.Linear(96, 10))

    def forward(self, crops: Tensor) -> Tensor:
        """Return one row of logits per crop."""
        return self.head(self.features(crops))  # type: ignore[no-any-return]


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class Framing(nn.Module):
    """Cut the digit out of its picture: ink 1 on paper 0, centred, evenly lit, in a crop of fixed size.

    The picture may have black bars (what padding to a square adds), either polarity and uneven light.
    """

    # NOTE: TorchScript reads constants from the class, not from the module's globals.
    light_side: Final[int] = 24
    light_rounds: Final[int] = 3
    mask_side: Final[int] = 48
    crop_side: Final[int] = CROP_SIDE
    margin: Final[float] = 1.3
    """A crop is this much longer than the digit's longer side, so that the network sees paper all round."""

    light_basis: Tensor
    light_ridge: Tensor
    border: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("light_basis", _light_basis(self.light_side))
        self.register_buffer("light_ridge", torch.diag(torch.tensor([0.0, 0.003, 0.003, 0.01, 0.01, 0.01])))
        self.register_buffer("border", _border(self.light_side))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return one crop [1, 28, 28] per picture."""
        filled, is_row = self.fill_bars(pictures)
        turned, is_column = self.fill_bars(filled.transpose(2, 3))
        ink = self.find_ink(turned.transpose(2, 3)) * is_row * is_column.transpose(2, 3)
        return self.cut(ink, self.find_box(ink))

    def fill_bars(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Continue the picture over purely black bars at its top and bottom; return it, and 1 for each true row.

        A bar ends where almost a whole row is lit: a white digit on a black screen touches its first row in part
        only, and stays as it is.
        """
        side = pictures.size(2)
        share_lit = (pictures > 0).to(pictures.dtype).mean(dim=3).squeeze(1)
        is_lit = (share_lit > 0).to(torch.int64)
        first = is_lit.argmax(dim=1, keepdim=True)
        last = side - 1 - is_lit.flip([1]).argmax(dim=1, keepdim=True)
        has_edges = (share_lit.gather(1, first) > 0.9) & (share_lit.gather(1, last) > 0.9)
        # The row at the edge of a bar can be half bar.
        first, last = first + (first > 0).to(torch.int64), last - (last < side - 1).to(torch.int64)
        rows = torch.arange(side, device=pictures.device).unsqueeze(0)
        inside = torch.minimum(torch.maximum(rows, first), last)
        source = torch.where(has_edges, inside, rows.expand_as(inside))
        is_true = (source == rows).to(pictures.dtype)
        return pictures.gather(2, source[:, None, :, None].expand_as(pictures)), is_true[:, None, :, None]

    def find_ink(self, pictures: Tensor) -> Tensor:
        """Return how far each pixel stands out from the light, as ink 1 on paper 0."""
        contrast = pictures - self.fit_light(pictures)
        # Ink covers less than paper does, so it is the long tail of the histogram.
        polarity = contrast.pow(3).sum(dim=(2, 3), keepdim=True).sign()
        ink = functional.relu(contrast * polarity)
        peak = self.peak(functional.adaptive_avg_pool2d(ink, self.mask_side))
        return (ink / peak.clamp(min=0.02)).clamp(max=1.5)

    def fit_light(self, pictures: Tensor) -> Tensor:
        """Fit a smooth surface to the paper: least squares, reweighted until the ink no longer counts."""
        levels = functional.adaptive_avg_pool2d(pictures, self.light_side).flatten(1)
        weights = self.border.expand_as(levels)
        surface = torch.zeros_like(levels)
        for _ in range(self.light_rounds):
            weights = weights / weights.sum(dim=1, keepdim=True)
            weighted = self.light_basis.t() * weights.unsqueeze(1)
            normal = torch.matmul(weighted, self.light_basis) + self.light_ridge
            surface = torch.linalg.solve(normal, torch.matmul(weighted, levels.unsqueeze(2)))
            surface = torch.matmul(self.light_basis, surface).squeeze(2)
            misfit = (levels - surface).abs()
            scale = (misfit * weights).sum(dim=1, keepdim=True) + 0.01
            weights = 1.0 / (1.0 + (misfit / scale).pow(2))
        small = surface.view(-1, 1, self.light_side, self.light_side)
        return functional.interpolate(small, size=pictures.shape[2:], mode="bilinear", align_corners=False)

    def find_box(self, ink: Tensor) -> Tensor:
        """Return centre x, centre y and half side of a square round the ink, in -1..1, as [N, 3]."""
        # Averaged, so that a sensor's noise stays below the thinnest line.
        smooth = functional.avg_pool2d(
            functional.adaptive_avg_pool2d(ink, self.mask_side), 3, stride=1, padding=1, count_include_pad=False
        )
        mask = ((smooth / self.peak(smooth) - 0.3) / 0.3).clamp(0.0, 1.0)
        # Dust is ink with little ink about it.
        nearby = functional.avg_pool2d(mask, 9, stride=1, padding=4, count_include_pad=False)
        mask = mask * (nearby / 0.1).clamp(max=1.0)
        left, right = self.extent(mask.sum(dim=2).squeeze(1))
        top, bottom = self.extent(mask.sum(dim=3).squeeze(1))
        half = torch.maximum(right - left, bottom - top) / 2 * self.margin + 0.02
        return torch.stack([(left + right) / 2, (top + bottom) / 2, half], dim=1)

    def extent(self, profile: Tensor) -> tuple[Tensor, Tensor]:
        """Return where a profile of ink [N, 48] begins and ends, in -1..1; everywhere if it is empty."""
        side = profile.size(1)
        share = (profile + 1e-6).cumsum(dim=1)
        share = share / share[:, -1:]
        first = (share < 0.005).sum(dim=1)
        last = (share < 0.995).sum(dim=1) + 1
        return first * (2.0 / side) - 1.0, last * (2.0 / side) - 1.0

    def cut(self, ink: Tensor, box: Tensor) -> Tensor:
        """Sample the box at twice the crop's side and average, so that thin lines survive; even out the contrast."""
        zero = torch.zeros_like(box[:, 0])
        across = torch.stack([box[:, 2], zero, box[:, 0]], dim=1)
        down = torch.stack([zero, box[:, 2], box[:, 1]], dim=1)
        size = [ink.size(0), 1, 2 * self.crop_side, 2 * self.crop_side]
        grid = functional.affine_grid(torch.stack([across, down], dim=1), size, align_corners=False)
        crop = functional.avg_pool2d(functional.grid_sample(ink, grid, align_corners=False), 2)
        return (crop / self.peak(crop).clamp(min=0.05)).clamp(max=1.2)

    def peak(self, values: Tensor) -> Tensor:
        """Return the level of each picture's brightest pixels, less shaken by noise than its maximum, [N, 1, 1, 1]."""
        return values.flatten(1).topk(24, dim=1).values.mean(dim=1).clamp(min=1e-4)[:, None, None, None]


def _light_basis(side: int) -> Tensor:
    y, x = torch.meshgrid(_centres(side), _centres(side), indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], dim=2).view(side * side, 6)


def _border(side: int) -> Tensor:
    """Weigh a picture's edge ten times its middle: the first guess at what is paper."""
    inside = torch.zeros(side, side)
    inside[2:-2, 2:-2] = 0.9
    return (1.0 - inside).view(1, side * side)


def _centres(side: int) -> Tensor:
    return (torch.arange(side) + 0.5) * (2.0 / side) - 1.0
