"""Jobs as a client of a stack posts, follows and ends them, and how long after its last byte it is answered."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.load.stack import Stack

JOBS = "/api/v1/jobs"
KIND = "recommendations"
BOUNDARY = "galley-benchmark"
PIECE_BYTES = 2**20
POLL_S = 0.05
ENDED = ("succeeded", "failed", "cancelled")


class Unfinished(Exception):
    """A job did not come to the end that was wanted."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A job that was taken in: its path, and how long its client waited for that after its last byte was sent."""

    path: str
    answered_after_s: float


def submit(stack: Stack, source: Path) -> Submitted:
    """Upload a file as the input of a job, as the admin.

    :raises Unfinished: when it is not taken in.
    """
    head, tail = _around(source.name)
    connection = http.client.HTTPConnection(urlsplit(stack.url).netloc, timeout=600)
    try:
        connection.putrequest("POST", JOBS)
        connection.putheader("Authorization", f"Bearer {stack.token}")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.putheader("Content-Length", f"{len(head) + source.stat().st_size + len(tail)}")
        connection.endheaders(head)
        with source.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                connection.send(piece)
        connection.send(tail)
        sent_at = time.monotonic()
        answer = connection.getresponse()
        answered_after_s = time.monotonic() - sent_at
        said = answer.read()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.ACCEPTED:
        raise Unfinished(f"The job was answered with {answer.status}: {said.decode()}")

    return Submitted(path=f"{JOBS}/{json.loads(said)['id']}", answered_after_s=answered_after_s)


def wait_for_end(stack: Stack, path: str) -> dict[str, Any]:
    """Wait until a job has succeeded, and return it.

    :raises Unfinished: when it ends in another way.
    """
    while (job := stack.call("GET", path).json())["state"] not in ENDED:
        time.sleep(POLL_S)
    if job["state"] != "succeeded":
        raise Unfinished(f"The job ended otherwise: {job}")

    return dict(job)


@contextmanager
def running_job(stack: Stack, source: Path) -> Iterator[Submitted]:
    """Have a job of a file run for the length of the block, and delete it then.

    :raises Unfinished: when it ends before the block does.
    """
    job = submit(stack, source)
    try:
        while stack.call("GET", job.path).json()["state"] == "queued":
            time.sleep(POLL_S)
        yield job
        if (state := stack.call("GET", job.path).json()["state"]) != "running":
            raise Unfinished(f"The job is {state} before the load beside it has ended: give it more rows.")
    finally:
        discard(stack, job.path)


def discard(stack: Stack, path: str) -> None:
    """Cancel a job if it has not ended, and delete it with its files."""
    with suppress(httpx.HTTPStatusError):
        for _ in range(2):
            stack.call("DELETE", path)


def _around(name: str) -> tuple[bytes, bytes]:
    """Return what comes before and behind a file in a form."""
    parts = (
        f"--{BOUNDARY}",
        'Content-Disposition: form-data; name="kind"',
        "",
        KIND,
        f"--{BOUNDARY}",
        f'Content-Disposition: form-data; name="input"; filename="{name}"',
        "Content-Type: application/octet-stream",
        "",
        "",
    )
    return "\r\n".join(parts).encode(), f"\r\n--{BOUNDARY}--\r\n".encode()
