"""Answers that are wrong in the ways that matter, each told by the invariant that it breaks."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import MakeCaller, answered, rules
from tests.chaos.jobs import Poster, TensorOrder
from tests.chaos.questions import Known, taste_questions
from tests.chaos.releases import Releases
from tests.chaos.tensors import Marks, send_tensors

Lines = list[dict[str, Any]]
RELEASES = Releases(moves=[(0.0, 1)])
ROWS = [[7.0, float(n), 0.0, 0.0] for n in range(3)]


def good_lines() -> Lines:
    return [
        {
            "row": number,
            "id": f"{row[1]:.0f}",
            "model_version": "1",
            "outputs": [{"data": [value + 1 for value in row]}],
        }
        for number, row in enumerate(ROWS, 1)
    ]


def lost(lines: Lines) -> Lines:
    return lines[:-1]


def doubled(lines: Lines) -> Lines:
    return [*lines, lines[-1]]


def swapped(lines: Lines) -> Lines:
    return [{**lines[1], "row": 1}, {**lines[0], "row": 2}, lines[2]]


def two_versions(lines: Lines) -> Lines:
    return [{**lines[0], "model_version": "2"}, *lines[1:]]


def poster_told(make_caller: MakeCaller, lines: Lines) -> Poster:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return answered(request, status=202, json={"id": "j"})
        if request.url.path.endswith("results"):
            return answered(request, content="".join(f"{json.dumps(line)}\n" for line in lines).encode())
        if request.url.path.endswith("errors"):
            return answered(request)
        return answered(request, json={"id": "j", "state": "succeeded", "finished_at": "now"})

    caller = make_caller(handler)
    reference: Any = None
    return Poster(caller, Marks(1), Known(caller, []), RELEASES, reference)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (list, set()),
        (lost, {"rows"}),
        (doubled, {"rows"}),
        (swapped, {"rightly"}),
        (two_versions, {"rightly"}),
    ],
)
def test_rows_of_a_job(make_caller: MakeCaller, change: Callable[[Lines], Lines], broken: set[str]) -> None:
    poster = poster_told(make_caller, change(good_lines()))

    assert asyncio.run(poster._is_done(TensorOrder(ROWS, RELEASES, 0.0), "key"))
    assert set(rules(poster.caller)) == broken


def test_a_job_that_somebody_else_can_read(make_caller: MakeCaller) -> None:
    poster = poster_told(make_caller, [])
    poster.ids.append("mine")
    asyncio.run(poster._spy_on(poster))

    assert rules(poster.caller) == ["apart"]


@pytest.mark.parametrize(("add", "broken"), [(1.0, []), (2.0, ["rightly"])])
def test_numbers_of_somebody_else(make_caller: MakeCaller, add: float, broken: list[str]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        caller.over.set()
        row = json.loads(request.content)["inputs"][0]["data"]
        return answered(request, json={"model_version": "1", "outputs": [{"data": [value + add for value in row]}]})

    caller = make_caller(handler)
    # Of this seed the first request is JSON.
    asyncio.run(send_tensors(caller, Marks(1), RELEASES, pace_s=0, rng=random.Random(0)))

    assert rules(caller) == broken


def test_another_answer_than_when_all_was_well(make_caller: MakeCaller) -> None:
    caller = make_caller(lambda request: answered(request, json={"items": [1, len(told)]}))
    told = list[int]()
    known = Known(caller, taste_questions([1]))

    async def ask() -> None:
        await known.learn()
        told.append(1)
        asking = asyncio.create_task(known.ask_on(pace_s=0, rng=random.Random(0)))
        while not caller.journal.violations:
            await asyncio.sleep(0)
        caller.over.set()
        await asking

    asyncio.run(ask())

    assert set(rules(caller)) == {"rightly"}
