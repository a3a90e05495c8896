"""The stack's processes as the kernel sees them: what each is, its CPU time and its proportional memory."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

# The first that matches a command line names the kind.
KINDS = (
    ("tether", re.compile(r"deploy\.tether|galley-tether")),
    ("runner", re.compile(r"galley-runner (?P<name>\S+)")),
    ("doorkeeper", re.compile(r"deploy\.doorkeeper|galley-door")),
    ("web worker", re.compile(r"gunicorn: worker")),
    ("web master", re.compile(r"gunicorn")),
    ("nginx worker", re.compile(r"nginx: worker")),
    ("nginx master", re.compile(r"nginx: master")),
    ("postgres", re.compile(r"postgres(:|ql/)")),
    ("redis", re.compile(r"redis-server")),
    ("celery", re.compile(r"celery")),
    ("forkserver", re.compile(r"forkserver|resource_tracker|galley-preload")),
    ("controller", re.compile(r"workers\.controller|galley-controller")),
    ("supervisor", re.compile(r"supervisord")),
    ("launcher", re.compile(r"deploy[./]stack")),
)


@dataclass(frozen=True, kw_only=True)
class ProcessFacts:
    """One process: CPU seconds since its birth, PSS in bytes."""

    pid: int
    kind: str
    cpu_s: float
    pss_bytes: int


def stack_facts(*first_pids: int) -> list[ProcessFacts]:
    """Return these processes and everything they started, as it is now: of a stack its launcher is the first."""
    facts = (_facts(process) for pid in first_pids for process in family(pid))
    return sorted((fact for fact in facts if fact), key=lambda fact: (fact.kind, fact.pid))


def family(first_pid: int) -> list[psutil.Process]:
    """Return a process and everything it started."""
    first = psutil.Process(first_pid)
    return [first, *first.children(recursive=True)]


def kind_of(command_line: str) -> str:
    """Name the kind of process that has this command line or title."""
    for kind, pattern in KINDS:
        if match := pattern.search(command_line):
            return f"{kind} {match['name']}" if "name" in match.groupdict() else kind

    return "other"


def cpu_by_kind(before: Iterable[ProcessFacts], after: Iterable[ProcessFacts]) -> dict[str, float]:
    """Return the CPU seconds each kind used between two looks; a process born between counts whole."""
    earlier = {fact.pid: fact.cpu_s for fact in before}
    used: dict[str, float] = defaultdict(float)
    for fact in after:
        used[fact.kind] += fact.cpu_s - earlier.get(fact.pid, 0.0)
    return dict(used)


def pss_bytes(pid: int) -> int:
    """Return a process's proportional memory.

    :raises FileNotFoundError: when it has ended.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _facts(process: psutil.Process) -> ProcessFacts | None:
    try:
        times = process.cpu_times()
        title = " ".join(process.cmdline())
        return ProcessFacts(
            pid=process.pid, kind=kind_of(title), cpu_s=times.user + times.system, pss_bytes=pss_bytes(process.pid)
        )
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None  # it ended between the listing and the look
