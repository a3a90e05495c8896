"""How well texts are told apart, on texts that were held out; and what has to be beaten.

Accuracy is the share of texts that get their label; macro F1 the mean over the labels of the held-out texts of the
harmonic mean of precision and recall, so that a rare label counts as much as a common one. The baselines: to answer the
most frequent label always, and multinomial naive Bayes over counts of words.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.naive_bayes import MultinomialNB
from torch import Tensor

from workers.training.text_data import LabelledText, TextSet
from workers.training.text_model import TextClassifier, beginning
from workers.training.text_training import parts, tokenize

Predict = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Both figures, from 0 to 1."""

    accuracy: float
    macro_f1: float

    @classmethod
    def of(cls, predict: Predict, held_out: Sequence[LabelledText]) -> "Quality":
        """Measure predictions."""
        wanted = [text.label for text in held_out]
        got = list(predict([text.text for text in held_out]))
        return cls(
            accuracy=float(accuracy_score(wanted, got)),
            macro_f1=float(f1_score(wanted, got, labels=sorted(set(wanted)), average="macro", zero_division=0)),
        )


def predict_by(classifier: TextClassifier, names: Sequence[str]) -> Predict:
    """Return what asks a classifier."""

    def predict(texts: Sequence[str]) -> list[str]:
        return [names[place] for part in parts(texts) for place in score(classifier, part).argmax(dim=1).tolist()]

    return predict


def score(classifier: TextClassifier, texts: Sequence[str]) -> Tensor:
    """Return the scores of whole texts, [N, classes]."""
    tokens = tokenize(texts)
    with torch.inference_mode():
        scores: Tensor = classifier(tokens, *beginning(classifier, len(tokens)))[0]
    return scores


def most_frequent(texts: TextSet) -> Predict:
    """Return what answers the label that most texts of the training have."""
    ((label, _),) = Counter(text.label for text in texts.training).most_common(1)
    return lambda asked: [label] * len(asked)


def naive_bayes(texts: TextSet) -> Predict:
    """Return multinomial naive Bayes, fitted to the counts of words."""
    words = CountVectorizer(analyzer=_words)
    counts = words.fit_transform([text.text for text in texts.training])
    bayes = MultinomialNB().fit(counts, [text.label for text in texts.training])
    return lambda asked: bayes.predict(words.transform(asked)).tolist()


def _words(text: str) -> list[str]:
    """Return a text's words; one without any has an empty one, since without words there is nothing to fit."""
    return re.findall(r"\w+", text.lower()) or [""]
