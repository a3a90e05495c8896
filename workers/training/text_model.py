"""The text classifier's TorchScript code: bytes of texts in as they come, a score per class out.

A text is read as the n-grams of its bytes, in lower case, with one separator between words. Each n-gram is hashed to a
row of a table of whole numbers, and all that is remembered of a text are the sums of those rows. Whole numbers add up
to the same in whatever order, so a text's scores do not depend on where it was cut, not even in the last digit.
"""

import string
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.runner.pipelines.text_tokens import END, PADDING

# What stands between words, and before a text begins.
_SEPARATOR: Final = 0
_DROPPED: Final = -1
# Of a polynomial that never overflows 64 bits; the last one deals numbers that are close to buckets that are not.
_PRIME: Final = 2**31 - 1
_BASE: Final = 1_000_003
_SPREAD: Final = 48_271
# So many rows of the table are added up at once that FP32 does not round: it holds all whole numbers up to 2**24.
LARGEST_ENTRY: Final = 2**12 - 1
_ROWS_AT_ONCE: Final = 2**12


class GramHasher(nn.Module):
    """Finds the n-grams of texts, some bytes at a time: those that end in these bytes, wherever they begin."""

    def __init__(self, *, orders: Sequence[int], buckets: int) -> None:
        """Take the lengths of n-grams in bytes, and how many numbers there are for them."""
        super().__init__()
        self.orders = list(orders)
        self.buckets = buckets
        self.tail = max(orders) - 1
        self.prime = _PRIME
        self.spread = _SPREAD
        self.powers = [pow(_BASE, place, _PRIME) for place in range(max(orders))]
        self.register_buffer("symbols", _symbols())

    symbols: Tensor

    def forward(self, tokens: Tensor, tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the numbers of all n-grams, where those of each row begin [N], and the tail after these tokens.

        `tokens` are [N, L]; `tail` [N, longest n-gram - 1] are the last symbols before them.
        """
        before = tail.long()
        symbols = self.symbols[tokens.long().clamp(-1, 256) + 1]
        previous = torch.cat([before[:, -1:], symbols[:, :-1]], dim=1)
        # One separator between two words, however many there were.
        is_kept = (symbols > 0) | ((symbols == 0) & (previous != 0))
        is_there = torch.cat([torch.ones_like(before, dtype=torch.bool), is_kept], dim=1)
        is_new = torch.cat([torch.zeros_like(before, dtype=torch.bool), is_kept], dim=1)
        # All rows one after the other, each behind its tail, which keeps its n-grams out of the row before.
        line = torch.cat([before, symbols], dim=1)[is_there]
        ends = is_new[is_there].nonzero().squeeze(1)
        lengths = is_kept.sum(dim=1)
        starts = (lengths.cumsum(0) - lengths) * len(self.orders)
        behind = (lengths + self.tail).cumsum(0).unsqueeze(1)
        tail_after = line[behind - torch.arange(self.tail, 0, -1)].to(torch.uint8)
        return self.numbers(line, ends), starts, tail_after

    def numbers(self, line: Tensor, ends: Tensor) -> Tensor:
        """Return the numbers of the n-grams of symbols that end at these places, all of one place together."""
        polynomial = torch.zeros_like(ends)
        numbers: list[Tensor] = []
        for distance, power in enumerate(self.powers):
            polynomial = (polynomial + (line[ends - distance] + 1) * power) % self.prime
            if distance + 1 in self.orders:
                numbers.append((polynomial * self.spread + distance) % self.prime % self.buckets)
        return torch.stack(numbers, dim=1).view(-1)


class TextClassifier(nn.Module):
    """Scores of texts so far, from the next tokens [N, L] and what is remembered of those before."""

    def __init__(self, hasher: GramHasher, table: Tensor, head: nn.Module) -> None:
        """Take the table [buckets, columns + 1], whose last column weighs, and what makes scores of rows' means.

        Its entries are whole numbers in FP32, none over `LARGEST_ENTRY`.
        """
        super().__init__()
        self.hasher = hasher
        self.head = head
        self.tokens_at_once = _ROWS_AT_ONCE // len(hasher.orders)
        self.register_buffer("table", table)

    table: Tensor

    def forward(self, tokens: Tensor, tail: Tensor, sums: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores [N, classes], and the tail and the sums after these tokens."""
        for part in torch.split(tokens, self.tokens_at_once, dim=1):
            numbers, starts, tail = self.hasher(part, tail)
            sums = sums + functional.embedding_bag(numbers, self.table, starts, mode="sum").long()
        return self.head(text_means(sums.double()).float()), tail, sums


def beginning(classifier: TextClassifier, rows: int) -> tuple[Tensor, Tensor]:
    """Return what is remembered of texts that have not begun: the tail and the sums."""
    tail = torch.zeros(rows, classifier.hasher.tail, dtype=torch.uint8)
    return tail, torch.zeros(rows, classifier.table.shape[1], dtype=torch.int64)


def text_means(sums: Tensor) -> Tensor:
    """Return sums of rows by the root of their weight: texts are about as long then, whatever they were."""
    return sums[:, :-1] / sums[:, -1:].clamp(min=1.0).sqrt()


def _symbols() -> Tensor:
    """Return the symbol of each token, padding first: what is no letter, digit or part of a character separates."""
    symbols = torch.full((END + 2,), _SEPARATOR)
    symbols[PADDING + 1] = _DROPPED
    for byte in [*string.digits.encode(), *string.ascii_lowercase.encode(), *range(0x80, 0x100)]:
        symbols[byte + 1] = byte
    for byte in string.ascii_uppercase.encode():
        symbols[byte + 1] = byte + 0x20
    return symbols
