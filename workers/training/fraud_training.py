"""The fraud model's training: accounts' payments in their order, forward and back through time.

The epoch is kept that does best on the validation slice, of which nothing was learned.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from workers.training.fraud_features import Matrix
from workers.training.fraud_model import SequenceNet
from workers.training.fraud_payments import Flags, Integers
from workers.training.progress import Report, tracked


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How much to train."""

    epochs: int = 10
    accounts: int = 32
    """How many accounts a step learns from."""
    peak_rate: float = 1e-2
    most_payments: int = 512
    """Of an account with more, each so many are taken for an account."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What there is to learn from: scaled features [payments, features], in the order of time, and what they are.

    The training slice begins with the first payment.
    """

    features: Tensor
    is_fraud: Flags
    accounts: Integers
    training: slice
    validation: slice


def train_net(lesson: Lesson, schedule: Schedule, report: Report) -> SequenceNet:
    """Return a network trained on the training slice; torch's global generator decides its weights and its course."""
    sequences = _sequences(lesson.accounts[: lesson.training.stop], schedule.most_payments)
    # Accounts of about as many payments share a step, which is as long as the longest of them.
    sequences.sort(key=len)
    batches = [sequences[at : at + schedule.accounts] for at in range(0, len(sequences), schedule.accounts)]
    net = SequenceNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=schedule.peak_rate, weight_decay=0.01)
    steps = schedule.epochs * len(batches)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, schedule.peak_rate, total_steps=steps)
    best, kept = -1.0, copy.deepcopy(net.state_dict())
    for _ in tracked(range(schedule.epochs), "training fraud", report):
        for batch in torch.randperm(len(batches)).tolist():
            _step(net, optimizer, lesson, batches[batch])
            rate.step()
        quality = _quality(net, lesson, schedule)
        if quality > best:
            best, kept = quality, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    return net.eval()


def score_all(net: SequenceNet, features: Tensor, accounts: Integers, schedule: Schedule) -> Matrix:
    """Return the logits of all payments, each account's in their order."""
    logits = np.empty(len(accounts), np.float32)
    sequences = sorted(_sequences(accounts, len(accounts)), key=len)
    with torch.inference_mode():
        for at in range(0, len(sequences), schedule.accounts):
            batch = sequences[at : at + schedule.accounts]
            padded = net(pad_sequence([features[rows] for rows in batch], batch_first=True))
            for rows, scored in zip(batch, padded, strict=True):
                logits[rows.numpy()] = scored[: len(rows)].numpy()
    return logits


def _sequences(accounts: Integers, most: int) -> list[Tensor]:
    """Return the places of each account's payments, in the order of time, at most so many in one."""
    order = np.argsort(accounts, kind="stable")
    ends = np.flatnonzero(np.diff(accounts[order])) + 1
    return [part for rows in np.split(order, ends) for part in torch.split(torch.from_numpy(rows), most)]


def _step(net: SequenceNet, optimizer: torch.optim.Optimizer, lesson: Lesson, batch: list[Tensor]) -> None:
    logits = net(pad_sequence([lesson.features[rows] for rows in batch], batch_first=True))
    scored = torch.cat([line[: len(rows)] for line, rows in zip(logits, batch, strict=True)])
    wanted = torch.from_numpy(lesson.is_fraud[torch.cat(batch).numpy()].astype(np.float32))
    loss = functional.binary_cross_entropy_with_logits(scored, wanted)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()


def _quality(net: SequenceNet, lesson: Lesson, schedule: Schedule) -> float:
    stop = lesson.validation.stop
    logits = score_all(net, lesson.features[:stop], lesson.accounts[:stop], schedule)[lesson.validation]
    return float(average_precision_score(lesson.is_fraud[lesson.validation], logits))
