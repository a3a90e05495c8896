"""The text model against n-grams found by plain Python."""

import re
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from tests.factories.texts import BUCKETS, COLUMNS, make_classifier
from workers.training.text_model import LARGEST_ENTRY, GramHasher, TextClassifier, beginning, text_means
from workers.training.text_training import tokenize

ORDERS = (2, 4)


def symbols(text: str) -> bytes:
    """Return a text as the model sees it: words in lower case, a separator behind each."""
    words = re.sub(rb"[^0-9a-z\x80-\xff]+", b"\0", text.encode().lower()).strip(b"\0")
    return words + b"\0" if words else b""


def grams(text: str) -> list[bytes]:
    """Return the n-grams that end at each symbol, those before the text begins are separators."""
    line = bytes(max(ORDERS)) + symbols(text)
    return [line[end - order : end] for end in range(max(ORDERS) + 1, len(line) + 1) for order in ORDERS]


def number(hasher: GramHasher, gram: bytes) -> int:
    """Return the number of one n-gram by the formula."""
    polynomial = sum((byte + 1) * 1_000_003**distance for distance, byte in enumerate(reversed(gram)))
    return (polynomial % (2**31 - 1) * 48_271 + len(gram) - 1) % (2**31 - 1) % hasher.buckets


def hashed(hasher: GramHasher, texts: Sequence[str]) -> list[list[int]]:
    """Return the numbers that the hasher finds in whole texts."""
    found, starts, _ = hasher(tokenize(texts), torch.zeros(len(texts), hasher.tail, dtype=torch.uint8))
    return [part.tolist() for part in torch.tensor_split(found, starts[1:])]


def run(model: nn.Module, text: str, state: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Run the model over a whole text."""
    with torch.inference_mode():
        return list(model(tokenize([text]), *state))


def test_n_grams_are_those_that_plain_python_finds() -> None:
    hasher = GramHasher(orders=ORDERS, buckets=10**9)
    texts = ["Where is it?", "", "  two  spaces, a\tTAB ", "Grüße 世界", "x", "\0\0a\0", "1-2_3"]

    assert hashed(hasher, texts) == [[number(hasher, gram) for gram in grams(text)] for text in texts]


def test_letters_and_punctuation_are_read_alike() -> None:
    hasher = GramHasher(orders=ORDERS, buckets=BUCKETS)
    first, second, other = hashed(hasher, ["Hello,   World!", "hello world", "hello worlds"])

    assert first == second != other


def test_scores_are_the_head_of_the_tables_mean() -> None:
    model = make_classifier()
    text = "Where is my Parcel?"
    rows = torch.stack([model.table[number(model.hasher, gram)] for gram in grams(text)])
    sums = rows.sum(dim=0, keepdim=True)
    scores, tail, sums_after = run(torch.jit.script(model), text, beginning(model, 1))

    assert torch.equal(sums_after, sums.long())
    assert bytes(tail[0].tolist()) == b"el\0"
    assert torch.allclose(scores, model.head(sums[:, :COLUMNS] / sums[:, COLUMNS:].sqrt()), atol=1e-5)


@pytest.mark.parametrize("text", ["z" * 5000, "word " * 1500])
def test_sums_of_long_texts_are_exact(text: str) -> None:
    table = torch.full((BUCKETS, COLUMNS + 1), float(LARGEST_ENTRY))
    model = TextClassifier(GramHasher(orders=ORDERS, buckets=BUCKETS), table, nn.Linear(COLUMNS, 2)).eval()
    *_, sums = run(model, text, beginning(model, 1))

    assert sums.tolist() == [[LARGEST_ENTRY * len(grams(text))] * (COLUMNS + 1)]


def test_tokens_that_there_are_not_are_taken_for_the_nearest() -> None:
    model = make_classifier()
    strange = torch.tensor([[300, 97, -7]], dtype=torch.int16)
    known = torch.tensor([[256, 97, -1]], dtype=torch.int16)

    for got, wanted in zip(model(strange, *beginning(model, 1)), model(known, *beginning(model, 1)), strict=True):
        assert torch.equal(got, wanted)


def test_a_text_without_weight_has_a_mean_of_nothing() -> None:
    assert text_means(torch.zeros(2, 3, dtype=torch.float64)).tolist() == [[0, 0], [0, 0]]
