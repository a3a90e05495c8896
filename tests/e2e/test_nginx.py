"""A real nginx with deploy/nginx.conf in front of the stack."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.factories.parts import needed
from tests.factories.stack import ROOT, Stack, classify, free_port
from tests.factories.waiting import wait_until


def answers(url: str) -> bool:
    """Say whether somebody answers at all."""
    try:
        httpx.get(f"{url}/health/live")
    except httpx.HTTPError:
        return False

    return True


@contextmanager
def running_nginx(upstream_port: int) -> Iterator[str]:
    """Run nginx on a free port in front of `upstream_port` and yield its address."""
    binary, port = needed("nginx", package="nginx"), free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    assert text.count("listen 80;") == text.count("server 127.0.0.1:8000;") == 1
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = text.replace("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream_port};")
    with tempfile.TemporaryDirectory(prefix="galley-nginx-") as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(text)
        # World-readable, since nginx's workers give up root.
        Path(folder).chmod(0o755)
        options = f"pid {folder}/nginx.pid; daemon off; error_log {folder}/error.log;"
        with (Path(folder) / "access.log").open("wb") as log:
            nginx = subprocess.Popen([binary, "-p", folder, "-c", config, "-g", options], stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}"
        finally:
            nginx.terminate()
            nginx.wait(30)


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    with running_nginx(stack.port) as address:
        yield address


def test_picture_is_classified_through_nginx(stack: Stack, address: str, picture: bytes) -> None:
    with stack.client(address) as client:
        answers = [classify(client, picture) for _ in range(3)]

    assert [answer.json()["results"][0]["labels"][0]["label"] for answer in answers] == ["7"] * 3


def test_large_upload_reaches_galley(stack: Stack, address: str) -> None:
    with stack.client(address) as client:
        answer = classify(client, b"\x89PNG\r\n" + bytes(8 * 2**20))

    assert answer.status_code in {400, 415}
    assert answer.headers["content-type"] == "application/problem+json"


def test_request_id_goes_through(address: str) -> None:
    sane = httpx.get(f"{address}/health/live", headers={"X-Request-ID": "order-66"})
    strange = httpx.get(f"{address}/health/live", headers={"X-Request-ID": 'a"b'})

    assert sane.headers["x-request-id"] == "order-66"
    assert strange.headers["x-request-id"] != 'a"b'


def test_metrics_are_closed(address: str) -> None:
    assert httpx.get(f"{address}/metrics").status_code == 404


def test_body_over_the_limit_is_a_problem_document(stack: Stack, address: str) -> None:
    with stack.client(address) as client:
        answer = client.post("/api/v1/images/classifications", content=bytes(66 * 2**20))

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_what_nginx_answers_under_v2_has_that_protocols_form() -> None:
    with running_nginx(free_port()) as address:
        away = httpx.get(f"{address}/v2/health/live")
        too_large = httpx.post(f"{address}/v2/models/digits/infer", content=bytes(66 * 2**20))

    assert (away.status_code, too_large.status_code) == (503, 413)
    for answer in (away, too_large):
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == {"error", "code", "request_id", "retryable"}
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_galley_away_is_a_problem_document() -> None:
    with running_nginx(free_port()) as address:
        answer = httpx.get(f"{address}/health/live")

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["retryable"] is True
