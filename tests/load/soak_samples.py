"""What processes hold while a soak goes on: resident and proportional memory, and descriptors, every few seconds."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import psutil

from tests.load.processes import family, kind_of, pss_bytes

SAMPLE_S: Final = 5.0
BUFFERED: Final = "postgres"

Life = tuple[int, float]
"""A process: its number, and when it was born, since numbers are given again."""


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What one process holds at a moment."""

    rss_bytes: int
    """Of PostgreSQL's processes without what they share."""
    pss_bytes: int
    descriptors: int


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process at one look; `at` is seconds since the soak began."""

    at: float
    kind: str
    holding: Holding


@dataclass
class Sampler:
    """Looks at the processes that `first_pids` names and all that they started; keeps what it saw by process."""

    first_pids: Callable[[], Iterable[int]]
    names: dict[int, str] = field(default_factory=dict)
    """What some processes are called instead of their kind."""
    lives: dict[Life, list[Sample]] = field(default_factory=dict)

    def work(self, is_over: Event) -> None:
        """Look until it is over."""
        began = time.monotonic()
        while not is_over.wait(SAMPLE_S):
            self.look(time.monotonic() - began)

    def look(self, at: float) -> None:
        """Look once."""
        for process in (each for first in self.first_pids() for each in family(first)):
            try:
                # Before all else: a name is that of the program only once it runs.
                kind = self.names.get(process.pid) or kind_of(" ".join(process.cmdline()))
                holding = _holding(process, kind)
            except (psutil.Error, FileNotFoundError, ProcessLookupError):
                continue  # it ended between the listing and the look
            samples = self.lives.setdefault((process.pid, process.create_time()), [])
            samples.append(Sample(at=at, kind=kind, holding=holding))


def _holding(process: psutil.Process, kind: str) -> Holding:
    memory = process.memory_info()
    # PostgreSQL's buffers: each of its processes has those in its RSS that it ever looked into, up to all of them.
    buffers_bytes = memory.shared if kind == BUFFERED else 0
    return Holding(
        rss_bytes=memory.rss - buffers_bytes, pss_bytes=pss_bytes(process.pid), descriptors=process.num_fds()
    )
