"""The scripted model scores as its formula says, batch or not, and never what a user has seen."""

import pytest
import torch
from torch import Tensor

from workers.training.recommender_model import RankingModel

USERS, ITEMS, FACTORS = 5, 7, 3
SEEN = [[0, 6], [], [1, 2, 3], list(range(ITEMS)), [4]]


@pytest.fixture(scope="module")
def parts() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shapes = ((USERS, FACTORS), (FACTORS, ITEMS), (ITEMS,))
    tastes, trends, popularity = (torch.randn(shape, generator=generator) for shape in shapes)
    return tastes, trends, popularity


@pytest.fixture(scope="module")
def model(parts: tuple[Tensor, Tensor, Tensor]) -> torch.jit.ScriptModule:
    tastes, trends, popularity = parts
    starts = torch.tensor([0, *map(len, SEEN)]).cumsum(0)
    seen = torch.tensor([item for items in SEEN for item in items])
    made = RankingModel(tastes=tastes, trends=trends, popularity=popularity, seen=(starts, seen))
    return torch.jit.freeze(torch.jit.script(made.eval()))


def expected(parts: tuple[Tensor, Tensor, Tensor], user: int) -> Tensor:
    tastes, trends, popularity = parts
    scores = tastes[user] @ trends + popularity
    scores[SEEN[user]] = float("-inf")
    return scores


def test_each_row_has_its_scores_whatever_the_batch(
    model: torch.jit.ScriptModule, parts: tuple[Tensor, Tensor, Tensor]
) -> None:
    rows = [3, 0, 1, 4, 0, 2, 1]
    scores = model(torch.tensor(rows))

    for row, user in enumerate(rows):
        assert torch.allclose(scores[row], expected(parts, user), atol=1e-6)
        assert torch.allclose(model(torch.tensor([user]))[0], expected(parts, user), atol=1e-6)


@pytest.mark.parametrize("row", [USERS, USERS + 1, -1, 2**40])
def test_rows_of_nobody_score_by_popularity(
    model: torch.jit.ScriptModule, parts: tuple[Tensor, Tensor, Tensor], row: int
) -> None:
    scores = model(torch.tensor([2, row]))

    assert torch.equal(scores[1], parts[2])
    assert torch.allclose(scores[0], expected(parts, 2), atol=1e-6)


def test_answers_are_not_shared_with_the_model(model: torch.jit.ScriptModule) -> None:
    first = model(torch.tensor([0, 1]))
    kept = first.clone()
    model(torch.tensor([3, 3])).fill_(9.0)

    assert torch.equal(first, kept)
    assert torch.equal(model(torch.tensor([0, 1])), kept)
