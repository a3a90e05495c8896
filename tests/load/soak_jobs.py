"""The caller of a soak that has jobs run, one after the other: posted, followed, read to the last line, deleted."""

import time
from threading import Event
from typing import Any, Final

import httpx

from tests.load.callers import ITEMS, USERS
from tests.load.job_calls import ENDED, JOBS, KIND
from tests.load.soak_calls import MakeClient, trouble_of
from tests.load.soak_tally import SoakTally

NAME: Final = "jobs"
ROWS: Final = 1000
POLL_S: Final = 0.5
PAUSE_S: Final = 10.0


class WrongJob(Exception):
    """A job was refused, or came to an end that it should not come to; the message says which."""


class JobCaller:
    """One caller; its tally grows until it is over."""

    def __init__(self, make_client: MakeClient) -> None:
        self.tally = SoakTally(NAME)
        self._make_client = make_client

    def work(self, is_over: Event) -> None:
        """Have one job run after the other; the last one is left to itself."""
        while not is_over.is_set():
            began = time.monotonic()
            try:
                with self._make_client() as client:
                    if not self._run(client, is_over):
                        return
                self.tally.latencies_s.append(time.monotonic() - began)
            except WrongJob as err:
                self.tally.failed[f"{err}"] += 1
            except httpx.HTTPError as err:
                self.tally.failed[type(err).__name__] += 1
            is_over.wait(PAUSE_S)

    def _run(self, client: httpx.Client, is_over: Event) -> bool:
        """Have one job run; false where the soak was over before it."""
        inputs = [{"user_id": user % USERS + 1, "k": ITEMS} for user in range(ROWS)]
        path = f"{JOBS}/{_said(client.post(JOBS, json={'kind': KIND, 'inputs': inputs}))['id']}"
        while (job := _said(client.get(path)))["state"] not in ENDED:
            if is_over.wait(POLL_S):
                return False
        if job["state"] != "succeeded":
            raise WrongJob(f"{job['state']}")

        lines = client.get(f"{path}/results").text.splitlines()
        if len(lines) != ROWS:
            raise WrongJob("rows missing")

        client.delete(path)
        return True


def _said(answer: httpx.Response) -> dict[str, Any]:
    if trouble := trouble_of(answer, lambda _: True):
        raise WrongJob(trouble)

    said: dict[str, Any] = answer.json()
    return said
