"""A payment that is asked again and answered otherwise is told."""

import asyncio
import random

import httpx
import pytest

from tests.chaos.conftest import MakeCaller, answered, rules
from tests.chaos.payments import _score


class Always(random.Random):
    """A die that always says to ask again."""

    def random(self) -> float:
        """Return the least there is."""
        return 0.0


@pytest.mark.parametrize(("second", "broken"), [(0.5, []), (0.75, ["once"])])
def test_the_second_answer_is_the_first(make_caller: MakeCaller, second: float, broken: list[str]) -> None:
    scores = iter([0.5, second])

    def handler(request: httpx.Request) -> httpx.Response:
        return answered(request, json={"score": next(scores)})

    caller = make_caller(handler)

    assert asyncio.run(_score(caller, {}, Always())) == 0.5
    assert rules(caller) == broken
