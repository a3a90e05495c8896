"""A part killed under load: callers lose at most what it held, and it comes back by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from celery import Celery

from app.infra.broker import broker_url
from app.infra.redis_rest import REST_S
from app.run_dir import short_run_dir
from tests.factories.load import Load, running_load
from tests.factories.stack import Stack, classify, is_ready
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# Five seconds are the promise; the tests share the cores with the load they make, and with whatever else runs there.
BACK_WITHIN_S = 15.0
CALLERS = 8


@contextmanager
def loaded(stack: Stack) -> Iterator[Load]:
    """Put the stack under load, warmed up; callers open and close connections as they like."""
    headers = {"Authorization": f"Bearer {stack.token()}"}
    picture = stack.picture.read_bytes()

    def make_client() -> httpx.Client:
        return httpx.Client(base_url=stack.url, headers=headers, timeout=30)

    with running_load(make_client, lambda client: classify(client, picture), threads=CALLERS) as load:
        wait_until(lambda: load.statuses()[200] > 50, timeout_s=30)
        yield load


def kill_and_wait(load: Load, victims: list[psutil.Process], is_back: Callable[[], object]) -> None:
    """Kill the processes at once and wait, within the promised time, until service is back."""
    assert victims
    for victim in victims:
        victim.kill()
    killed_at = time.monotonic()
    wait_until(lambda: load.good_since(killed_at) > 20, timeout_s=BACK_WITHIN_S)
    wait_until(is_back, timeout_s=BACK_WITHIN_S)


def is_replaced(find: Callable[[str], list[psutil.Process]], title: str, old: list[psutil.Process]) -> bool:
    """Say whether as many processes of that title run as before, none of them an old one."""
    new = find(title)
    return len(new) >= len(old) and not set(new) & set(old)


def test_killed_runner_costs_at_most_what_it_held(stack: Stack) -> None:
    with loaded(stack) as load:
        victims = stack.find("galley-runner digits/")
        kill_and_wait(load, victims, lambda: is_replaced(stack.find, "galley-runner digits/", victims))

    assert set(load.statuses()) <= {200, 503}
    assert load.statuses()[503] <= 2 * CALLERS
    assert load.careless() == []


def test_killed_controller_costs_nothing(stack: Stack) -> None:
    with loaded(stack) as load:
        runners = stack.find("galley-runner digits/")
        victims = stack.part("galley-controller")
        kill_and_wait(load, victims, lambda: is_replaced(stack.part, "galley-controller", victims))

    assert set(load.statuses()) == {200}
    assert stack.find("galley-runner digits/") == runners


def test_killed_gunicorn_worker_costs_at_most_what_it_held(stack: Stack) -> None:
    with loaded(stack) as load:
        master = min(stack.find("galley-web"), key=lambda process: process.create_time())
        victims = master.children()[:1]
        kill_and_wait(load, victims, lambda: len(master.children()) >= 2 and not set(victims) & set(master.children()))

    assert set(load.statuses()) <= {200, 0}
    assert len(load.unanswered()) <= CALLERS


def test_killed_gunicorn_comes_back(stack: Stack) -> None:
    victims = stack.find("gunicorn: master")
    for victim in victims:
        victim.kill()

    wait_until(lambda: is_replaced(stack.find, "gunicorn: master", victims), timeout_s=2 * BACK_WITHIN_S)
    wait_until(lambda: is_ready(stack), timeout_s=2 * BACK_WITHIN_S)


def test_killed_celery_worker_comes_back_and_costs_requests_nothing(stack: Stack) -> None:
    run_dir = short_run_dir(stack.var_dir)
    with loaded(stack) as load:
        victims = stack.part("celery")
        family = [child for victim in victims for child in victim.children(recursive=True)]
        kill_and_wait(load, victims, lambda: is_replaced(stack.part, "celery", victims))

    assert set(load.statuses()) == {200}
    # They are told to end by the kernel, and close what they hold.
    wait_until(lambda: not any(child.is_running() for child in family), timeout_s=BACK_WITHIN_S)
    with Celery("test", broker=broker_url(f"unix://{run_dir}/redis.sock")) as celery:
        wait_until(lambda: celery.control.ping(timeout=1), timeout_s=30)


def test_killed_redis_costs_requests_nothing(stack: Stack) -> None:
    with loaded(stack) as load:
        victims = stack.part("redis-server")
        kill_and_wait(load, victims, lambda: is_replaced(stack.part, "redis-server", victims))

    assert set(load.statuses()) == {200}


def test_hung_redis_costs_requests_nothing(stack: Stack) -> None:
    """Hung for longer than it takes to give it up, and to ask again whether it is back."""
    with loaded(stack) as load:
        [victim] = stack.part("redis-server")
        victim.suspend()
        try:
            hung_at = time.monotonic()
            wait_until(lambda: load.good_since(hung_at + REST_S + 1.0) > 20)
        finally:
            victim.resume()
        resumed_at = time.monotonic()
        wait_until(lambda: load.good_since(resumed_at) > 20, timeout_s=BACK_WITHIN_S)

    assert set(load.statuses()) == {200}


@pytest.mark.parametrize("title", ["galley-runner digits/", "redis-server"])
def test_stack_is_ready_again(stack: Stack, title: str) -> None:
    for victim in stack.find(title):
        victim.kill()

    wait_until(lambda: is_ready(stack), timeout_s=BACK_WITHIN_S)
