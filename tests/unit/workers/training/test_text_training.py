"""The text classifier learns, alike from the same seed, in whole numbers."""

import pytest
import torch

from workers.training.computing import alone
from workers.training.text_data import LabelledText
from workers.training.text_evaluation import predict_by
from workers.training.text_model import LARGEST_ENTRY, GramHasher, TextClassifier
from workers.training.text_training import Grams, Schedule, parts, tokenize, train_classifier

TINY = Schedule(buckets=1024, columns=8, epochs=12, batch=16)
NAMES = ["fruit", "metal"]
TEXTS = [
    LabelledText(f"{number} {word}", label)
    for label, words in (("fruit", "apple pear plum"), ("metal", "iron copper zinc"))
    for word in words.split()
    for number in range(12)
]


def train(schedule: Schedule = TINY) -> TextClassifier:
    """Return a classifier of fruit and metal."""
    with alone(0):
        return train_classifier(
            [text.text for text in TEXTS],
            [NAMES.index(text.label) for text in TEXTS],
            schedule,
            count=2,
            report=lambda _: None,
        )


@pytest.fixture(scope="module")
def trained() -> TextClassifier:
    return train()


def test_what_was_learned_is_told_of_other_texts(trained: TextClassifier) -> None:
    predict = predict_by(trained, NAMES)

    assert predict(["my PEAR!", "some zinc", "a plum", "copper wire"]) == ["fruit", "metal", "fruit", "metal"]


def test_the_table_is_whole_numbers_as_large_as_may_be(trained: TextClassifier) -> None:
    assert torch.equal(trained.table, trained.table.round())
    assert trained.table.abs().max() == LARGEST_ENTRY
    assert not trained.training


def test_n_grams_never_met_weigh_nothing(trained: TextClassifier) -> None:
    met = torch.zeros(TINY.buckets)
    met[Grams.of(trained.hasher, [text.text for text in TEXTS]).numbers] = 1

    assert torch.equal(trained.table[:, -1], met)
    assert not trained.table[met == 0].any()


def test_the_same_seed_gives_the_same_model(trained: TextClassifier) -> None:
    again = train()

    assert torch.equal(again.table, trained.table)
    assert torch.equal(again.head.weight, trained.head.weight)


def test_n_grams_of_some_texts_are_picked() -> None:
    hasher = GramHasher(orders=(2, 3), buckets=1024)
    texts = ["one", "", "three words here", "two"] * 90
    grams = Grams.of(hasher, texts)
    alone_grams = [Grams.of(hasher, [text]).numbers.tolist() for text in texts]
    numbers, starts = grams.pick(torch.tensor([2, 1, 359, 0]))

    assert [part.tolist() for part in torch.tensor_split(numbers, starts[1:])] == [
        alone_grams[place] for place in (2, 1, 359, 0)
    ]


@pytest.mark.parametrize("lengths", [[], [3], [10**5], [10**5, 1, 1], [1, 1, 10**5], [2**15, 2**15, 1], [1] * 70_000])
def test_texts_are_read_in_parts_that_fit(lengths: list[int]) -> None:
    texts = ["x" * length for length in lengths]
    found = [list(part) for part in parts(texts)]

    assert [text for part in found for text in part] == texts
    assert all(len(part) == 1 or len(part) * max(map(len, part)) <= 2**16 for part in found)
    assert len(found) <= 3


def test_texts_are_rows_of_bytes() -> None:
    assert tokenize(["é", "abc"]).tolist() == [[0xC3, 0xA9, 256, -1], [97, 98, 99, 256]]
