"""The project's own load generator: C, one thread, compiled on this machine when it is first needed.

Its sources are in tests/load/generator; tally.h says what its counts mean.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SOURCES = Path(__file__).with_name("generator")
BUILD = Path(__file__).with_name("build")
FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-Werror")
# A caller gives up after this long; the server's own deadlines are shorter.
TIMEOUT_S = 10.0


class NoCompiler(Exception):
    """This machine cannot compile the generator; the message says what to install."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Which load: `rate` requests per second whatever the server does (open), or without it as fast as it answers.

    It ends after `seconds`, or after `count` requests. A good answer more than `deadline_s` after its request was
    due counts as late.
    """

    connections: int
    seconds: float | None = None
    count: int | None = None
    rate: float | None = None
    timeout_s: float = TIMEOUT_S
    deadline_s: float | None = None

    @property
    def options(self) -> list[str]:
        """The load as options of the generator's command line."""
        named = {
            "connections": self.connections,
            "seconds": self.seconds,
            "count": self.count,
            "rate": self.rate,
            "timeout": self.timeout_s,
            "deadline": self.deadline_s,
        }
        return [f"--{name}={value}" for name, value in named.items() if value is not None]


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds by percentile; all 0 where there were none."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What the generator saw; `good_ms` counts from when a request was due, `good_sent_ms` from when it was sent."""

    offered: int
    sent: int
    good: int
    limited: int
    unavailable: int
    other: int
    first_other: int
    without_retry_after: int
    late: int
    lost: int
    given_up: int
    unreadable: int
    connection_errors: int
    hits: int
    misses: int
    bypasses: int
    seconds: float
    cpu_s: float
    good_ms: Times
    good_sent_ms: Times
    refused_ms: Times
    refused_sent_ms: Times
    good_in_second: tuple[int, ...]

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.good / self.seconds

    @property
    def refused(self) -> int:
        """Answers of 429 and 503."""
        return self.limited + self.unavailable

    @property
    def failed(self) -> int:
        """Requests that were neither answered well nor refused."""
        return self.offered - self.good - self.refused


def run_load(url: str, requests: Path, load: Load) -> LoadReport:
    """Send the file of requests to the server of `url`.

    :raises NoCompiler: where the generator cannot be compiled.
    :raises subprocess.CalledProcessError: when nobody listens; its output went to the terminal.
    """
    address = urlsplit(url)
    command = [str(executable()), str(address.hostname), str(address.port), str(requests), *load.options]
    return read_report(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def read_report(output: bytes) -> LoadReport:
    """Return what the generator printed."""
    printed: dict[str, Any] = json.loads(output)
    times = {name: Times(**value) for name, value in printed.items() if isinstance(value, dict)}
    return LoadReport(**{**printed, **times, "good_in_second": tuple(printed["good_in_second"])})


def executable() -> Path:
    """Return the compiled generator, compiling it when its sources are new.

    :raises NoCompiler: where there is no C compiler.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    compiled = BUILD / f"generator-{digest}"
    if not compiled.exists():
        _compile([path for path in sources if path.suffix == ".c"], compiled)
    return compiled


def _compile(sources: Sequence[Path], target: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler(
            f"The load generator is compiled from {SOURCES}: install a C compiler (Debian: apt install gcc)."
        )

    target.parent.mkdir(exist_ok=True)
    # Renamed when it is whole: others may compile at the same time.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / target.name
        subprocess.run([compiler, *FLAGS, "-o", str(fresh), *map(str, sources), "-lm"], check=True)
        fresh.replace(target)
