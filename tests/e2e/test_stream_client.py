"""The client of docs/examples against a whole stack: as a command, through nginx, and while web workers are killed."""

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.factories.nginx import running_nginx
from tests.factories.stack import ROOT, Stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

COMMAND = (sys.executable, "docs/examples/stream_client.py")
LONGEST_S = 120.0
TEXT = "Jemand hat 50 € von meinem Konto abgehoben, und das war nicht ich 😠"

Frame = dict[str, Any]


def start(stack: Stack, stream: str, url: str | None = None) -> "subprocess.Popen[str]":
    environment = {**os.environ, "GALLEY": url or stack.url, "TOKEN": stack.token()}
    return subprocess.Popen(
        [*COMMAND, stream], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(stack: Stack, stream: str, works: list[Frame], url: str | None = None) -> list[Frame]:
    """Return what the command prints for what it is given."""
    said, _ = start(stack, stream, url).communicate("".join(map(line, works)), timeout=LONGEST_S)
    return [json.loads(answer) for answer in said.splitlines()]


def line(work: Frame) -> str:
    return f"{json.dumps(work)}\n"


def payments(run: str, count: int) -> list[Frame]:
    """Return payments of a few accounts."""
    return [
        {
            "event_id": f"{run}-{number}",
            "account_id": f"{run}-{number % 3}",
            "merchant_id": f"m-{number % 7}",
            "amount": 10.0 + number,
            "currency": "EUR",
            "occurred_at": f"2026-01-05T10:{number // 60:02}:{number % 60:02}Z",
        }
        for number in range(count)
    ]


def scores(answers: list[Frame]) -> dict[str, float]:
    assert {answer["type"] for answer in answers} == {"score"}, answers
    return {answer["event_id"]: answer["score"] for answer in answers}


def test_payments_sent_again_get_their_first_answers(stack: Stack) -> None:
    works = payments("again", 60)
    first = ask(stack, "fraud", works)

    assert sorted(answer["seq"] for answer in first) == list(range(1, 61))
    assert scores(ask(stack, "fraud", works)) == scores(first)


def test_a_text_in_pieces_comes_to_what_it_comes_to_at_once(stack: Stack, client: httpx.Client) -> None:
    pieces = [{"text": TEXT[place : place + 3]} for place in range(0, len(TEXT), 3)]
    last = ask(stack, "text", [*pieces, {"text": "", "end": True}])[-1]
    [whole] = client.post("/api/v1/text/classifications", json={"text": TEXT}).json()["results"]

    assert last["final"] is True
    assert last["label"] == whole["label"]
    assert last["score"] == pytest.approx(whole["score"], abs=1e-5)


def test_streams_pass_through_nginx(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_nginx(stack.port) as nginx:
        monkeypatch.setenv("SSL_CERT_FILE", str(nginx.ca))
        answers = ask(stack, "fraud", payments("nginx", 60), nginx.url)

    assert len(scores(answers)) == 60


def test_killed_web_workers_cost_no_answer(stack: Stack) -> None:
    works = payments("killed", 400)
    command = start(stack, "fraud")
    assert command.stdin is not None
    assert command.stdout is not None
    command.stdin.write("".join(map(line, works[:200])))
    command.stdin.flush()
    first = command.stdout.readline()
    workers = stack.find("gunicorn: worker")
    for worker in workers:
        worker.kill()
    # NOTE: not communicate(): it passes over the lines that readline() has buffered.
    command.stdin.write("".join(map(line, works[200:])))
    command.stdin.close()
    answers = [json.loads(answer) for answer in (first, *command.stdout)]
    command.stdout.close()

    assert (command.wait(LONGEST_S), len(workers) > 0) == (0, True)
    assert len(answers) == len(scores(answers)) == 400
    wait_until(lambda: len(stack.find("gunicorn: worker")) >= len(workers), timeout_s=LONGEST_S)
