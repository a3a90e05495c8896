"""Titles can be read and told apart."""

import re

import numpy as np
import pytest

from workers.training.recommender_titles import make_titles


def test_titles_are_different_and_look_like_titles() -> None:
    titles = make_titles(5000, np.random.default_rng(0))

    assert len(set(titles)) == 5000
    assert all(re.fullmatch(r"The [A-Z][A-Za-z ]+ \((19[6-9]|20[0-2])\d\)", title) for title in titles)


def test_more_titles_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="titles, not 20000"):
        make_titles(20_000, np.random.default_rng(0))
