"""Figures of predictions that are known beforehand."""

import pytest

from tests.factories.texts import LABELS, make_classifier
from workers.training.text_data import LabelledText, TextSet
from workers.training.text_evaluation import Quality, most_frequent, naive_bayes, predict_by, score

TRAINING = [LabelledText(text, "sea") for text in ("wave and salt", "salt and fish", "the wave")] + [
    LabelledText(text, "land") for text in ("the hill", "hill and tree")
]
TEXTS = TextSet(training=TRAINING, held_out=[LabelledText("salt", "sea"), LabelledText("tree", "land")])


def test_a_rare_label_counts_in_f1_as_much_as_a_common_one() -> None:
    held_out = [*(LabelledText("x", "a") for _ in range(3)), LabelledText("x", "b")]
    quality = Quality.of(lambda texts: ["a"] * len(texts), held_out)

    assert quality.accuracy == 0.75
    assert quality.macro_f1 == pytest.approx((6 / 7 + 0) / 2)


def test_the_most_frequent_label_is_answered_always() -> None:
    assert most_frequent(TEXTS)(["hill", ""]) == ["sea", "sea"]


def test_naive_bayes_goes_by_words() -> None:
    assert naive_bayes(TEXTS)(["Salt!", "a tree", "🚣"]) == ["sea", "land", "sea"]


def test_naive_bayes_needs_no_words() -> None:
    silent = TextSet(training=[LabelledText("!", "a"), LabelledText("?", "b"), LabelledText(".", "a")], held_out=[])

    assert naive_bayes(silent)(["!"]) == ["a"]


def test_a_classifier_answers_the_name_of_its_best_score() -> None:
    classifier = make_classifier()
    texts = [f"text {number}" for number in range(150)]
    got = predict_by(classifier, LABELS)(texts)

    assert got == [LABELS[int(score(classifier, [text]).argmax())] for text in texts]
    assert len(set(got)) > 1
