"""HTTP callers of a soak: each at a rate of its own, on connections that are given up now and then."""

import time
from collections.abc import Callable
from threading import Event
from typing import Final

import httpx

from tests.load.soak_asks import Asking, Question
from tests.load.soak_tally import SoakTally

# Then a caller begins anew, with a new connection: what is lost with each shows as growth.
CALLS_PER_CONNECTION: Final = 100

MakeClient = Callable[[], httpx.Client]


class HttpCaller:
    """One caller; its tally grows until it is over."""

    def __init__(self, asking: Asking, number: int, make_client: MakeClient) -> None:
        self.tally = SoakTally(asking.name)
        self._questions = asking.questions(number)
        self._pause_s = 1 / asking.rate
        self._make_client = make_client

    def work(self, is_over: Event) -> None:
        """Ask at the rate until it is over; whoever was kept waiting does not make up for it."""
        due = time.monotonic()
        while not is_over.is_set():
            with self._make_client() as client:
                for _ in range(CALLS_PER_CONNECTION):
                    self._ask(client, next(self._questions))
                    due = max(due + self._pause_s, time.monotonic())
                    if is_over.wait(due - time.monotonic()):
                        return

    def _ask(self, client: httpx.Client, question: Question) -> None:
        headers = {"Content-Type": question.content_type, **question.headers}
        began = time.monotonic()
        try:
            answer = client.post(question.path, content=question.content, headers=headers)
        except httpx.HTTPError as err:
            self.tally.failed[type(err).__name__] += 1
            return

        if trouble := trouble_of(answer, question.is_right):
            self.tally.failed[trouble] += 1
        else:
            self.tally.latencies_s.append(time.monotonic() - began)


def trouble_of(answer: httpx.Response, is_right: Callable[[httpx.Response], bool]) -> str:
    """Name what is wrong with an answer, by its status and code; nothing if it is right."""
    if answer.is_success:
        return "" if is_right(answer) else "wrong answer"

    is_json = "json" in answer.headers.get("Content-Type", "")
    return f"{answer.status_code} {answer.json().get('code', '') if is_json else ''}".strip()
