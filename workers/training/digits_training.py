"""The digits network's training: many photographs of few digits are framed once, then read again and again."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from workers.training.digits_data import Scans, scan_fields
from workers.training.digits_model import PICTURE_SIDE, DigitClassifier, DigitReader, Framing
from workers.training.digits_photos import Glyphs, photograph
from workers.training.digits_strokes import draw_fields
from workers.training.progress import Report, tracked

_LABEL_SMOOTHING = 0.05
# Pictures per call of what makes them: their temporaries then stay in the processor's cache.
_CHUNK = 32


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How much to train. The default takes under a minute of computing."""

    drawn: int = 5400
    """Photographs of digits drawn by the simulated pen, each drawing twice."""
    scanned: int = 4200
    """Photographs of scans, each scan several times."""
    plain_copies: int = 3
    """How often each scan is there as it is."""
    epochs: int = 8
    batch: int = 64
    peak_rate: float = 4e-3


def train_reader(scans: Scans, schedule: Schedule, generator: Generator, report: Report) -> DigitReader:
    """Return a network trained on the scans and on drawn digits, in evaluation mode.

    The seed of torch's global generator decides its first weights and its dropout.
    """
    reader = DigitReader()
    crops, labels = make_crops(reader.framing, scans, schedule, generator, report)
    # Convolutions of so few channels are twice as fast with the channels last.
    classifier = reader.classifier.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = _batches(len(crops), schedule, generator)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=schedule.peak_rate, weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.peak_rate, total_steps=len(batches))
    for rows in tracked(batches, "training digits", report):
        _step(classifier, optimizer, jitter(crops[rows], generator), labels[rows])
        rate.step()
    classifier.to(memory_format=torch.contiguous_format)
    return reader.eval()


def make_crops(
    framing: Framing, scans: Scans, schedule: Schedule, generator: Generator, report: Report
) -> tuple[Tensor, Tensor]:
    """Return the framed digits to train on [N, 1, 28, 28] and their labels: photographs, and the scans as they are."""
    glyphs = choose_glyphs(scans, schedule, generator)
    chunks = torch.split(torch.randperm(len(glyphs), generator=generator), _CHUNK)
    plain = framing(enlarge(scans.pictures))
    crops, labels = [plain] * schedule.plain_copies, [scans.labels] * schedule.plain_copies
    for rows in tracked(chunks, "photographing digits", report):
        chosen = glyphs.pick(rows)
        crops.append(framing(photograph(chosen, generator)))
        labels.append(chosen.labels)
    return torch.cat(crops), torch.cat(labels)


def choose_glyphs(scans: Scans, schedule: Schedule, generator: Generator) -> Glyphs:
    """Return the digits to photograph: drawn ones, then scans."""
    drawings = draw_fields(torch.arange(schedule.drawn // 2) % 10, generator)
    digits = torch.arange(schedule.drawn // 2).repeat(2) % 10
    repeats = torch.arange(schedule.scanned) % len(scans)
    return Glyphs(
        fields=torch.cat([drawings, drawings, scan_fields(scans.pictures)[repeats]]),
        labels=torch.cat([digits, scans.labels[repeats]]),
        is_scan=torch.arange(len(digits) + schedule.scanned) >= len(digits),
    )


def enlarge(scans: Tensor) -> Tensor:
    """Return scans [N, 1, 8, 8] as the preprocessing enlarges them, [N, 1, 96, 96]."""
    return functional.interpolate(scans, size=[PICTURE_SIDE] * 2, mode="bilinear", antialias=True)


def jitter(crops: Tensor, generator: Generator) -> Tensor:
    """Move, turn, stretch, thicken or thin each crop a little, so that no epoch sees it twice alike."""
    count = len(crops)
    turn = 0.12 * torch.randn(count, 2, 2, generator=generator)
    matrix = torch.eye(2) * (1.0 + 0.08 * torch.randn(count, 1, 1, generator=generator)) + turn * (1.0 - torch.eye(2))
    matrix = matrix + torch.diag_embed(0.06 * torch.randn(count, 2, generator=generator))
    shift = 0.08 * torch.randn(count, 2, 1, generator=generator)
    grid = functional.affine_grid(torch.cat([matrix, shift], dim=2), list(crops.shape), align_corners=False)
    moved = functional.grid_sample(crops, grid, align_corners=False)
    gain = torch.exp(0.25 * torch.randn(count, 1, 1, 1, generator=generator))
    return moved.clamp(min=1e-4) ** gain


def accuracy(reader: nn.Module, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
    """Return the share of pictures that are read rightly."""
    right = total = 0
    with torch.inference_mode():
        for pictures, labels in batches:
            right += int((reader(pictures).argmax(dim=1) == labels).sum())
            total += len(labels)
    return right / total


def _batches(count: int, schedule: Schedule, generator: Generator) -> list[Tensor]:
    """Return the rows of every batch of every epoch; each epoch is shuffled, its incomplete last batch dropped."""
    shuffled = [torch.randperm(count, generator=generator) for _ in range(schedule.epochs)]
    return [rows for order in shuffled for rows in torch.split(order, schedule.batch) if len(rows) == schedule.batch]


def _step(classifier: DigitClassifier, optimizer: torch.optim.Optimizer, crops: Tensor, labels: Tensor) -> None:
    loss = functional.cross_entropy(classifier(crops), labels, label_smoothing=_LABEL_SMOOTHING)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(classifier.parameters(), 2.0)
    optimizer.step()
