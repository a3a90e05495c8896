"""What kinds of jobs have in common."""

import pytest

from app.errors import MOST_UNKNOWN, InvalidFields
from app.scenarios.job_recommendations import RecommendationJobs

KIND = RecommendationJobs()


def test_a_kind_without_parameters_takes_none() -> None:
    assert KIND.read_parameters({}) == {}


def test_parameters_that_mean_nothing_are_named() -> None:
    with pytest.raises(InvalidFields) as caught:
        KIND.read_parameters({"top_k": 5, "x" * 1000: None})

    assert set(caught.value.errors) == {"parameters.top_k", "parameters." + "x" * 64}


def test_not_each_of_a_thousand_is_named() -> None:
    with pytest.raises(InvalidFields) as caught:
        KIND.read_parameters({f"p{number}": 1 for number in range(1000)})

    assert len(caught.value.errors) == MOST_UNKNOWN
