"""HTTP callers look at every answer, name what is wrong with it, and begin anew after a while."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.load.soak_asks import ASKINGS, Asking, Question
from tests.load.soak_calls import CALLS_PER_CONNECTION, HttpCaller
from tests.load.soak_jobs import ROWS, JobCaller

Answering = Callable[[httpx.Request], httpx.Response]


def questions(_caller: int) -> Iterator[Question]:
    while True:
        yield Question(
            path="/ask", content=b"{}", content_type="application/json", is_right=lambda answer: answer.json() == 42
        )


def tally_of(answer: Answering, *, calls: int) -> tuple[HttpCaller, list[httpx.Client]]:
    """Ask so many times; return the caller and the clients it made."""
    over, clients, asked = threading.Event(), list[httpx.Client](), list[httpx.Request]()

    def answering(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == calls:
            over.set()
        return answer(request)

    def make_client() -> httpx.Client:
        clients.append(httpx.Client(base_url="http://galley", transport=httpx.MockTransport(answering)))
        return clients[-1]

    caller = HttpCaller(Asking(name="it", callers=1, rate=1e6, questions=questions), 0, make_client)
    caller.work(over)
    return caller, clients


def lost(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("It took too long.")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (lambda _: httpx.Response(200, json=41), "wrong answer"),
        (lambda _: httpx.Response(503, json={"code": "queue_full"}), "503 queue_full"),
        (lambda _: httpx.Response(502, text="<html>"), "502"),
        (lost, "ReadTimeout"),
    ],
)
def test_what_is_wrong_is_named(answer: Answering, trouble: str) -> None:
    caller, _ = tally_of(answer, calls=2)

    assert (caller.tally.failed, len(caller.tally.latencies_s)) == (Counter({trouble: 2}), 0)


def test_right_answers_are_timed_and_connections_given_up() -> None:
    caller, clients = tally_of(lambda _: httpx.Response(200, json=42), calls=CALLS_PER_CONNECTION + 1)

    assert (len(caller.tally.latencies_s), caller.tally.failed.total()) == (CALLS_PER_CONNECTION + 1, 0)
    assert [client.is_closed for client in clients] == [True, True]


def test_every_kind_of_caller_asks_something_of_its_own() -> None:
    asked = {one.name: next(one.questions(0)) for one in ASKINGS}

    assert len({(question.path, question.content_type) for question in asked.values()}) == len(ASKINGS)
    assert all(question.content for question in asked.values())


@pytest.mark.parametrize(
    ("state", "lines", "failed"),
    [("succeeded", ROWS, {}), ("succeeded", 1, {"rows missing": 1}), ("failed", 0, {"failed": 1})],
)
def test_a_job_is_followed_to_its_last_line(state: str, lines: int, failed: dict[str, int]) -> None:
    over, deleted = threading.Event(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            deleted.append(request.url.path)
        if request.url.path.endswith("/results"):
            return httpx.Response(200, text="{}\n" * lines)
        # Nothing is posted after this one.
        over.set()
        return httpx.Response(200, json={"id": "one", "state": state})

    caller = JobCaller(lambda: httpx.Client(base_url="http://galley", transport=httpx.MockTransport(answer)))
    caller.work(over)

    assert caller.tally.failed == Counter(failed)
    assert len(caller.tally.latencies_s) == len(deleted) == (not failed)
