"""The text classifier's training: rows of the table and the head that reads their mean are learned together.

A bag of hashed n-grams under a linear classifier, as in Joulin et al., "Bag of Tricks for Efficient Text
Classification", 2016, with the n-grams of bytes only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.runner.pipelines.text_tokens import END, PADDING
from workers.training.progress import Report, tracked
from workers.training.text_model import LARGEST_ENTRY, GramHasher, TextClassifier, text_means

_BYTES_AT_ONCE = 2**16
# A run ends at this share of the rate that it begins with.
_LAST_RATE = 0.02


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How large the model is, and how long it is trained."""

    orders: tuple[int, ...] = (3, 4, 5)
    buckets: int = 2**16
    columns: int = 64
    epochs: int = 8
    batch: int = 64
    rate: float = 0.01
    dropout: float = 0.3


@dataclass(frozen=True)
class Grams:
    """The n-grams of texts, one text after the other; those of text `i` are from `starts[i]` to `starts[i + 1]`."""

    numbers: Tensor
    starts: Tensor

    @classmethod
    def of(cls, hasher: GramHasher, texts: Sequence[str]) -> "Grams":
        """Find them as the model does."""
        numbers, counts = [], []
        for part in parts(texts):
            tokens = tokenize(part)
            found, starts, _ = hasher(tokens, torch.zeros(len(tokens), hasher.tail, dtype=torch.uint8))
            numbers.append(found)
            counts.append(torch.diff(starts, append=torch.tensor([len(found)])))
        ends = torch.cat(counts).cumsum(0)
        return cls(torch.cat(numbers), functional.pad(ends, (1, 0)))

    def pick(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the n-grams of some texts, and where those of each begin."""
        firsts = self.starts[rows]
        counts = self.starts[rows + 1] - firsts
        starts = counts.cumsum(0) - counts
        places = torch.arange(int(counts.sum())) + torch.repeat_interleave(firsts - starts, counts)
        return self.numbers[places], starts


def parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts, in order, as many at once as make a moderate tensor, however long the longest of them."""
    first = longest = 0
    for place, text in enumerate(texts):
        longest = max(longest, len(text.encode()))
        if place > first and (place - first + 1) * longest > _BYTES_AT_ONCE:
            yield texts[first:place]
            first, longest = place, len(text.encode())
    if first < len(texts):
        yield texts[first:]


def tokenize(texts: Sequence[str]) -> Tensor:
    """Return whole texts as rows of tokens [N, L] of INT16."""
    rows = [torch.tensor([*text.encode(), END], dtype=torch.int16) for text in texts]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PADDING)


def train_classifier(
    texts: Sequence[str], classes: Sequence[int], schedule: Schedule, *, count: int, report: Report
) -> TextClassifier:
    """Return a classifier of `count` classes, in evaluation mode.

    The seed of torch's global generator decides its first weights, its dropout and the order of the texts.
    """
    hasher = GramHasher(orders=schedule.orders, buckets=schedule.buckets)
    grams = Grams.of(hasher, texts)
    wanted = torch.tensor(classes)
    table = nn.Parameter(torch.randn(schedule.buckets, schedule.columns) / schedule.columns**0.5)
    head = nn.Linear(schedule.columns, count)
    nn.init.zeros_(head.weight)
    optimizers = [torch.optim.SparseAdam([table], lr=schedule.rate), torch.optim.Adam(head.parameters(), schedule.rate)]
    batches = list(_batches(len(texts), schedule))
    for step, rows in enumerate(tracked(batches, "training text", report)):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = schedule.rate * max(_LAST_RATE, 1 - step / len(batches))
        numbers, starts = grams.pick(rows)
        loss = functional.cross_entropy(
            head(functional.dropout(_means(table, numbers, starts), schedule.dropout)), wanted[rows]
        )
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in optimizers:
            optimizer.step()
    return _in_whole_numbers(hasher, table.detach(), torch.unique(grams.numbers), head)


def _batches(count: int, schedule: Schedule) -> Iterator[Tensor]:
    for _ in range(schedule.epochs):
        yield from torch.split(torch.randperm(count), schedule.batch)


def _means(table: Tensor, numbers: Tensor, starts: Tensor) -> Tensor:
    sums = functional.embedding_bag(numbers, table, starts, mode="sum", sparse=True)
    weights = torch.diff(starts, append=torch.tensor([len(numbers)]))
    return text_means(torch.cat([sums, weights.unsqueeze(1)], dim=1))


def _in_whole_numbers(hasher: GramHasher, table: Tensor, known: Tensor, head: nn.Linear) -> TextClassifier:
    """Return the classifier with its table in units so small that the largest entry is as large as may be.

    Rows that no n-gram of the training ever met weigh nothing.
    """
    unit = table[known].abs().max() / LARGEST_ENTRY
    whole = torch.zeros(len(table), table.shape[1] + 1)
    whole[known, :-1] = (table[known] / unit).round()
    whole[known, -1] = 1.0
    head.weight.data *= unit
    return TextClassifier(hasher, whole, head.requires_grad_(requires_grad=False)).eval()
