"""Texts with labels: those to train on, and those held out to measure by."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from app.errors import InputError

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class LabelledText:
    """A text, and what it is."""

    text: str
    label: str


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """Texts on either side of the line. `names` are the labels of all, sorted: the classes in their order."""

    training: list[LabelledText]
    held_out: list[LabelledText]

    @classmethod
    def cut(cls, texts: Sequence[LabelledText], *, seed: int) -> Self:
        """Hold out a fifth of each label's texts, of those that are there twice neither."""
        by_label: dict[str, list[LabelledText]] = defaultdict(list)
        for text in dict.fromkeys(texts):
            by_label[text.label].append(text)
        rng = np.random.default_rng(seed)
        training: list[LabelledText] = []
        held_out: list[LabelledText] = []
        for label in sorted(by_label):
            group = [by_label[label][place] for place in rng.permutation(len(by_label[label])).tolist()]
            count = int(len(group) * HELD_OUT_SHARE)
            held_out += group[:count]
            training += group[count:]
        return cls(training=training, held_out=held_out)

    @property
    def names(self) -> list[str]:
        """The classes."""
        return sorted({text.label for text in (*self.training, *self.held_out)})

    def check(self) -> Self:
        """Return itself if something can be learned from it, and be measured.

        :raises InputError: saying what is missing.
        """
        if len({text.label for text in self.training}) < 2:
            raise InputError("A classifier needs texts of two labels at least to train on.")
        if not self.held_out:
            raise InputError("No text is left to measure by: one label at least needs five different ones.")

        return self


def classes(texts: Sequence[LabelledText], names: Sequence[str]) -> list[int]:
    """Return the place of each text's label among the names."""
    places = {name: place for place, name in enumerate(names)}
    return [places[text.label] for text in texts]
