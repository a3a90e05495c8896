"""What a newcomer sees: one command, one line to paste, one right answer."""

import json
import subprocess

import httpx
import pytest

from tests.factories.stack import CLASSIFICATIONS, Stack, classify
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long


def test_line_to_paste_classifies_the_picture(stack: Stack) -> None:
    result = subprocess.run(stack.curl_line(), shell=True, check=True, capture_output=True, text=True)

    [answer] = json.loads(result.stdout)["results"]
    assert answer["labels"][0]["label"] == "7"


def test_answer_names_its_model(client: httpx.Client, picture: bytes) -> None:
    answer = classify(client, picture)

    assert answer.status_code == 200
    assert answer.json()["model"]["name"] == answer.headers["x-model-name"] == "digits"
    assert answer.headers["server-timing"].startswith("queue")


def test_thirty_two_pictures_come_back_in_order(client: httpx.Client, stack: Stack, picture: bytes) -> None:
    parts = [("image", (f"{number}.png", picture if number % 2 else b"no picture")) for number in range(32)]
    results = client.post("/api/v1/images/classifications", files=parts).json()["results"]

    assert ["labels" in result for result in results] == [bool(number % 2) for number in range(32)]


def test_the_same_picture_again_is_answered_from_the_cache(client: httpx.Client, picture: bytes) -> None:
    """By whichever web worker: what one was told the others find in Redis, at the latest when all have been asked."""
    answers = [client.post(CLASSIFICATIONS, content=picture) for _ in range(10)]

    assert answers[-1].headers["x-cache"] == "hit"
    assert int(answers[-1].headers["age"]) < 60
    assert all(answer.json() == answers[0].json() for answer in answers)


def test_secrets_are_private(stack: Stack) -> None:
    for path in (stack.var_dir / "admin.env", stack.var_dir / "secrets" / "jwt_secret"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_docs_and_document_are_open(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/docs", follow_redirects=True).status_code == 200
    assert "/api/v1/images/classifications" in httpx.get(f"{stack.url}/openapi.json").json()["paths"]


def test_metrics_of_all_services_are_one_page(stack: Stack, client: httpx.Client, picture: bytes) -> None:
    classify(client, picture)
    page = httpx.get(f"{stack.url}/metrics").text

    assert "galley_runner" in page
    assert "/api/v1/images/classifications" in page


def test_every_part_runs(stack: Stack) -> None:
    parts = ("supervisord", "redis-server", "galley-controller", "galley-runner digits/", "celery beat", "galley-web")

    assert [part for part in parts if not stack.find(part)] == []


def test_log_has_one_line_per_request_without_secrets(stack: Stack, client: httpx.Client, picture: bytes) -> None:
    request_id = classify(client, picture).headers["x-request-id"]
    wait_until(lambda: request_id in stack.log_of("web"))
    [line] = [json.loads(line) for line in stack.log_of("web").splitlines() if request_id in line]

    assert (line["status"], line["model"]) == (200, "digits")
    assert client.headers["authorization"].removeprefix("Bearer ") not in stack.log_of("web")
