"""scikit-learn's digits: 1797 scans of handwritten digits, 8×8 pixels each, split and shaped for training."""

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional

from workers.training.digits_strokes import FIELD_REACH, FIELD_SIDE

HELD_OUT_SHARE = 0.2

_SCAN_SIDE = 8
_BRIGHTEST = 16.0


@dataclass(frozen=True)
class Scans:
    """Scanned digits: pictures [N, 1, 8, 8] in 0..1, ink bright, and which digit each is [N]."""

    pictures: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def load_scans(seed: int) -> tuple[Scans, Scans]:
    """Return the scans to train on and those held out, each digit in equal shares.

    The data comes with scikit-learn; nothing is downloaded.
    """
    bunch = load_digits()
    rows = range(len(bunch.target))
    training, held_out = train_test_split(rows, test_size=HELD_OUT_SHARE, stratify=bunch.target, random_state=seed)
    pictures = torch.from_numpy(bunch.images).float().unsqueeze(1) / _BRIGHTEST
    labels = torch.from_numpy(bunch.target).long()
    return Scans(pictures[training], labels[training]), Scans(pictures[held_out], labels[held_out])


def scan_fields(pictures: Tensor) -> Tensor:
    """Return scans as smooth fields [N, 1, 64, 64] that can be cut at a level, like drawn ones, with their margin."""
    # A dark pixel all round first: bicubic edges repeat their last pixel, and ink must end there.
    framed = functional.pad(pictures, [1, 1, 1, 1])
    height = FIELD_SIDE / (1 + 2 * FIELD_REACH)
    side = 2 * round(height * (_SCAN_SIDE + 2) / _SCAN_SIDE / 2)
    smooth = functional.interpolate(framed, size=[side, side], mode="bicubic", align_corners=False)
    return functional.pad(smooth.clamp(0.0, 1.0), [(FIELD_SIDE - side) // 2] * 4)
