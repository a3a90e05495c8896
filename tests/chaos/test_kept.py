"""Jobs and versions that are lost, doubled or moved are seen at the end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import MakeCaller, answered
from tests.chaos.jobs import Poster
from tests.chaos.questions import Known
from tests.chaos.releases import Operator, Releases
from tests.chaos.tensors import Marks


@pytest.mark.parametrize(("listed", "is_wrong"), [(["a", "b"], False), (["a"], True), (["a", "b", "b"], True)])
def test_jobs(make_caller: MakeCaller, listed: list[str], is_wrong: bool) -> None:
    caller = make_caller(lambda request: answered(request, json=[{"id": name} for name in listed]))
    reference: Any = None
    poster = Poster(caller, Marks(1), Known(caller, []), Releases(), reference, ids=["a", "b"])

    assert bool(asyncio.run(poster.wrong_at_the_end())) == is_wrong


@pytest.mark.parametrize(
    ("versions", "default", "wrong"),
    [
        ([2, 3], 3, []),
        ([3], 3, ["there are versions [3], not [2, 3]"]),
        ([1, 2, 3], 3, ["there are versions [1, 2, 3], not [2, 3]"]),
        ([2, 3], 2, ["default is 2, not 3"]),
    ],
)
def test_versions(make_caller: MakeCaller, versions: list[int], default: int, wrong: list[str]) -> None:
    told = {"versions": [{"version": each} for each in versions], "default": default}
    caller = make_caller(lambda request: answered(request, json=told))
    releases = Releases(moves=[(0.0, 2), (1.0, 3)], published=[1, 2, 3], deleted={1})

    assert asyncio.run(Operator(caller, releases, Path()).wrong_at_the_end()) == wrong
