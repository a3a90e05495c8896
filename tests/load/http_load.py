"""Closed-loop HTTP load on one route: N connections, each sending its next request when the last is answered.

The project's own generator makes the load. `wrk`, and a generator that GALLEY_LOAD names, are there to be compared
with it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tests.load.own_generator import Load, run_load
from tests.load.request_file import request_file

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
ANSWER_TIMEOUT_S = 30
# The same picture again and again would be answered without its model.
PAST_CACHE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """The one request that is sent again and again; `headers` come on top of token and type."""

    url: str
    token: str
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        """Every header that says something of the caller or the body."""
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {**token, "Content-Type": self.content_type, **self.headers}

    @property
    def wire(self) -> bytes:
        """The request as HTTP/1.1 bytes."""
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, **self.all_headers, "Content-Length": str(len(self.body))}
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What one run of load saw. `errors` are answers that are not 2xx, and those that never came."""

    requests: int
    errors: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return (self.requests - self.errors) / self.seconds


class Generator(Protocol):
    """Something that makes load."""

    name: str

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`."""


class OwnGenerator:
    """The project's own."""

    name = "own"

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`."""
        load = Load(connections=connections, seconds=seconds, timeout_s=ANSWER_TIMEOUT_S)
        with request_file([request.wire]) as requests:
            report = run_load(request.url, requests, load)
        return LoadResult(
            requests=report.offered,
            errors=report.offered - report.good,
            seconds=report.seconds,
            p50_ms=report.good_ms.p50,
            p99_ms=report.good_ms.p99,
        )


class Wrk:
    """Debian's wrk, one thread, driven by wrk.lua."""

    name = "wrk"

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`; wrk takes whole ones."""
        with request_file([request.wire]) as requests:
            return run_wrk(request.url, requests, connections=connections, seconds=seconds)


def run_wrk(url: str, requests: Path, *, connections: int, seconds: float) -> LoadResult:
    """Send the file of requests again and again, over TLS where `url` says so; whose certificate it is, wrk never asks.

    :raises subprocess.CalledProcessError: when nobody listens; its output went to the terminal.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={ANSWER_TIMEOUT_S}s"]
    command += ["-s", str(WRK_SCRIPT), url, "--", str(requests)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return LoadResult(**json.loads(output.splitlines()[-1]))


class ForeignGenerator:
    """A generator by path that reads the same file of requests.

    It is called as `PATH http HOST PORT REQUESTS --conns N --duration S` and prints one JSON object with the counts
    `ok`, `bad`, `late`, `lost` and `errors`, the seconds `elapsed`, and `p50_ms` and `p99_ms`.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`."""
        address = urlsplit(request.url)
        with request_file([request.wire]) as requests:
            command = [str(self._path), "http", str(address.hostname), str(address.port), str(requests)]
            command += ["--conns", str(connections), "--duration", str(seconds)]
            printed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        errors = sum(int(printed[name]) for name in ("bad", "late", "lost", "errors"))
        return LoadResult(
            requests=int(printed["ok"]) + errors,
            errors=errors,
            seconds=printed["elapsed"],
            p50_ms=printed["p50_ms"],
            p99_ms=printed["p99_ms"],
        )


def generators() -> list[Generator]:
    """Return the generators this machine has, the one to measure with first."""
    foreign = os.environ.get("GALLEY_LOAD")
    return [
        OwnGenerator(),
        *([Wrk()] if shutil.which("wrk") else []),
        *([ForeignGenerator(Path(foreign))] if foreign else []),
    ]
