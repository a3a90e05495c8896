"""Labelled texts on either side of the line."""

import pytest

from app.errors import InputError
from workers.training.text_data import LabelledText, TextSet, classes


def texts(label: str, count: int) -> list[LabelledText]:
    """Return that many texts of a label."""
    return [LabelledText(f"{label} {number}", label) for number in range(count)]


def test_a_fifth_of_each_label_is_held_out() -> None:
    cut = TextSet.cut([*texts("b", 50), *texts("a", 11), *texts("c", 4)], seed=0)

    assert [text.label for text in cut.held_out] == ["a"] * 2 + ["b"] * 10
    assert len(cut.training) == 53
    assert not set(cut.training) & set(cut.held_out)
    assert cut.names == ["a", "b", "c"]


def test_a_text_that_is_there_twice_is_on_one_side() -> None:
    cut = TextSet.cut([*texts("a", 10), *texts("a", 10)], seed=0)

    assert len(cut.training) + len(cut.held_out) == 10


def test_the_seed_decides_which_are_held_out() -> None:
    several = texts("a", 100)

    assert TextSet.cut(several, seed=1) == TextSet.cut(several, seed=1)
    assert TextSet.cut(several, seed=1) != TextSet.cut(several, seed=2)


@pytest.mark.parametrize(
    ("training", "held_out", "words"),
    [([], [], "two labels"), (texts("a", 9), texts("b", 2), "two labels"), (texts("a", 1) + texts("b", 1), [], "five")],
)
def test_too_little_is_refused(training: list[LabelledText], held_out: list[LabelledText], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TextSet(training=training, held_out=held_out).check()


def test_classes_are_places_among_the_names() -> None:
    assert classes([*texts("b", 1), *texts("a", 2)], ["a", "b"]) == [1, 0, 0]
