"""Far more than the whole stack can do: every answer is a good one or a refusal that says when to come back."""

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.factories.stack import Stack
from tests.factories.waiting import wait_until
from tests.load.http_load import Request
from tests.load.own_generator import Load, LoadReport, run_load
from tests.load.request_file import request_file

pytestmark = [
    pytest.mark.long,
    pytest.mark.alone,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no cc on PATH"),
]

PATH = "/api/v1/images/classifications"
# More connections than web workers have places, each sending whatever is answered.
FLOOD = Load(connections=1500, seconds=10.0, rate=6000.0)
GENTLE = Load(connections=4, count=400)
SERVED = "served"


@pytest.fixture
def requests(stack: Stack, picture: bytes) -> Iterator[Path]:
    """The requests of a flood: of two clients, past the cache."""
    wires = [
        Request(
            url=stack.url + PATH,
            token=stack.new_clients_token(),
            body=picture,
            content_type="image/png",
            headers={"Cache-Control": "no-store"},
        ).wire
        for _ in range(2)
    ]
    with request_file(wires) as path:
        yield path


@contextmanager
def flooded(stack: Stack, requests: Path) -> Iterator[list[LoadReport]]:
    """Flood the stack; the report is there after the block, which waits for the end of the flood."""
    reports: list[LoadReport] = []
    thread = threading.Thread(target=lambda: reports.append(run_load(stack.url, requests, FLOOD)))
    thread.start()
    try:
        yield reports
    finally:
        thread.join()


def refused_so_far(client: httpx.Client) -> int:
    """Return how many requests the web workers have refused for want of room."""
    lines = client.get("/metrics").text.splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith("galley_refused_total{"))


def is_well(stack: Stack, requests: Path) -> bool:
    """Say whether a few callers get all that they ask for."""
    try:
        return run_load(stack.url, requests, GENTLE).good == GENTLE.count
    except subprocess.CalledProcessError:
        # It gave up: nobody answered in its time.
        return False


def told(answer: httpx.Response) -> str:
    """Return what a caller is told: that it is served, else the status, the code and when to come again."""
    if answer.is_success:
        return SERVED

    return f"{answer.status_code} {answer.json()['code']}: come again in {int(answer.headers['Retry-After'])} s"


def test_a_flood_is_refused_with_a_time_and_others_are_served(
    stack: Stack, client: httpx.Client, picture: bytes, requests: Path
) -> None:
    polite = {
        "Authorization": f"Bearer {stack.new_clients_token()}",
        "Content-Type": "image/png",
        "Cache-Control": "no-store",
    }
    refused_before = refused_so_far(client)
    answers: Counter[str] = Counter()
    with flooded(stack, requests) as reports:
        wait_until(lambda: refused_so_far(client) > refused_before, timeout_s=30)
        for _ in range(50):
            answers[told(client.post(PATH, content=picture, headers=polite))] += 1
    (report,) = reports

    # A newcomer finds room, unless the machine itself has just stood still for a second.
    assert answers[SERVED] >= 45, answers
    assert all(answer.startswith("503 queue_full") for answer in answers if answer != SERVED), answers
    assert report.good > 0
    assert report.refused > 0
    assert (report.without_retry_after, report.other, report.unreadable) == (0, 0, 0)
    # What the flood left in the sockets of connections that it closed is still answered.
    wait_until(lambda: is_well(stack, requests), timeout_s=120)
