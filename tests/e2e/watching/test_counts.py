"""Counts are exact across processes: whatever is killed or replaced, no request that was answered goes uncounted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.factories.load import Load, running_load
from tests.factories.scrapes import read_scrape
from tests.factories.stack import CLASSIFICATIONS, Stack, classify
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

CALLERS = 4
# Patient: other tests share the cores.
BACK_WITHIN_S = 60.0
KILLS = 2


def counted(stack: Stack) -> tuple[float, float]:
    """Return how many classifications were answered well, as the requests and as the inferences have it."""
    samples = read_scrape(httpx.get(f"{stack.url}/metrics").raise_for_status().text)
    requests = samples.get(("flask_http_request_duration_seconds_count", "POST", CLASSIFICATIONS, "200"), 0.0)
    inferences = (
        value
        for (name, *labels), value in samples.items()
        if name == "galley_inference_seconds_count" and {CLASSIFICATIONS, "total"} <= set(labels)
    )
    return requests, sum(inferences)


@contextmanager
def loaded(stack: Stack) -> Iterator[Load]:
    """Put the stack under load; each caller has one request under way."""
    headers, picture = {"Authorization": f"Bearer {stack.token()}"}, stack.picture.read_bytes()

    def make_client() -> httpx.Client:
        return httpx.Client(base_url=stack.url, headers=headers, timeout=30)

    with running_load(make_client, lambda client: classify(client, picture), threads=CALLERS) as load:
        wait_until(lambda: load.statuses()[200] > 20, timeout_s=BACK_WITHIN_S)
        yield load


def web_workers(stack: Stack) -> set[psutil.Process]:
    """Return the workers below gunicorn's master."""
    master = min(stack.find("galley-web"), key=lambda process: process.create_time())
    return set(master.children())


def end_one(stack: Stack, load: Load, end: Callable[[psutil.Process], object]) -> None:
    """End a web worker, and wait until another serves in its place."""
    before, good = web_workers(stack), load.statuses()[200]
    victim = min(before, key=lambda process: process.pid)
    end(victim)
    wait_until(
        lambda: victim not in web_workers(stack) and len(web_workers(stack)) == len(before), timeout_s=BACK_WITHIN_S
    )
    wait_until(lambda: load.statuses()[200] > good + 20, timeout_s=BACK_WITHIN_S)


def test_every_answer_is_counted_though_workers_are_killed_and_replaced(stack: Stack) -> None:
    before = counted(stack)
    with loaded(stack) as load:
        for _ in range(KILLS):
            end_one(stack, load, psutil.Process.kill)
            end_one(stack, load, psutil.Process.terminate)
    answered = load.statuses()[200]

    for earlier, now in zip(before, counted(stack), strict=True):
        # A worker that is killed may have counted what it held, one request of each caller, and not have sent it.
        assert answered <= now - earlier <= answered + KILLS * CALLERS


def test_a_restart_of_gunicorn_takes_no_counts_and_no_gauges_along(stack: Stack) -> None:
    with loaded(stack):
        pass
    before = counted(stack)
    victims = stack.find("gunicorn: master") + list(web_workers(stack))
    for victim in victims:
        victim.kill()
    wait_until(lambda: _answers(stack) and not set(victims) & web_workers(stack), timeout_s=BACK_WITHIN_S)

    assert counted(stack) == before
    wait_until(lambda: _processes(stack, "web") == len(web_workers(stack)), timeout_s=BACK_WITHIN_S)


def test_a_master_that_is_killed_alone_is_replaced_with_its_workers(stack: Stack) -> None:
    """Its workers have nobody who would end them; they finish what they hold, and are counted no longer."""
    with loaded(stack):
        pass
    before, orphans = counted(stack), web_workers(stack)
    for master in stack.find("gunicorn: master"):
        master.kill()
    wait_until(lambda: not any(orphan.is_running() for orphan in orphans), timeout_s=BACK_WITHIN_S)
    wait_until(lambda: _answers(stack) and len(_workers(stack)) == len(orphans), timeout_s=BACK_WITHIN_S)

    assert counted(stack) == before
    wait_until(lambda: _processes(stack, "web") == len(orphans), timeout_s=BACK_WITHIN_S)


def _workers(stack: Stack) -> list[psutil.Process]:
    return stack.find("gunicorn: worker")


def _answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/health/live").is_success
    except httpx.HTTPError:
        return False


def _processes(stack: Stack, part: str) -> float:
    return read_scrape(httpx.get(f"{stack.url}/metrics").text)["galley_processes", part]
