"""Closed-loop HTTP load on one route: N connections, each sending its next request when the last is answered.

`wrk` makes the load where it is installed, since it costs a tenth of the CPU; `OwnGenerator` does where it is not,
and checks wrk's count.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
ANSWER_TIMEOUT_S = 30


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


class Wrk:
    """Debian's wrk, one thread, driven by wrk.lua."""

    name = "wrk"

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`; wrk takes whole ones."""
        with _body_file(request.body) as body:
            command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
            command += [f"--timeout={ANSWER_TIMEOUT_S}s", "-s", str(WRK_SCRIPT), request.url]
            command += ["--", str(body), *(f"{name}: {value}" for name, value in request.all_headers.items())]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return LoadResult(**json.loads(output.splitlines()[-1]))


class OwnGenerator:
    """A generator in plain asyncio, for machines without wrk."""

    name = "own"

    def run(self, request: Request, *, connections: int, seconds: float) -> LoadResult:
        """Keep `connections` requests in flight for `seconds`."""
        return asyncio.run(_run_own(request, connections=connections, seconds=seconds))


def generators() -> list[Generator]:
    """Return the generators this machine has, the one to measure with first."""
    own = OwnGenerator()
    return [Wrk(), own] if shutil.which("wrk") else [own]


@dataclass
class _Tally:
    latencies_s: list[float] = field(default_factory=list)
    errors: int = 0


async def _run_own(request: Request, *, connections: int, seconds: float) -> LoadResult:
    tally = _Tally()
    start = time.monotonic()
    await asyncio.gather(*(_keep_asking(request, tally, until=start + seconds) for _ in range(connections)))
    latencies = sorted(tally.latencies_s)
    return LoadResult(
        requests=len(latencies),
        errors=tally.errors,
        seconds=time.monotonic() - start,
        p50_ms=statistics.median(latencies) * 1000 if latencies else 0.0,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000 if latencies else 0.0,
    )


async def _keep_asking(request: Request, tally: _Tally, *, until: float) -> None:
    wire = request.wire
    parts = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    while (sent := time.monotonic()) < until:
        writer.write(wire)
        is_good = await asyncio.wait_for(_read_answer(reader), ANSWER_TIMEOUT_S)
        tally.latencies_s.append(time.monotonic() - sent)
        tally.errors += not is_good
    writer.close()
    await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> bool:
    """Read one answer whole and say whether its status is 2xx."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return head.split(b" ", 2)[1].startswith(b"2")


@contextmanager
def _body_file(body: bytes) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile(prefix="galley-body-") as file:
        file.write(body)
        file.flush()
        yield Path(file.name)
