"""What a run leaves behind in a stack that goes on, and of one that has ended."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.descriptors import descriptors_of, unix_peers
from tests.chaos.echo_model import NAME
from tests.factories.stack import title_of
from tests.load.processes import kind_of

# A process may hold so many descriptors more than any of its kind did before: connections that are kept for the next
# request, and files that are open just now. What is lost with each request, or each blow, is soon many more.
SPARE = 48
# Whoever answers a scrape maps the files of all processes into memory, each once, and keeps them for the next scrape:
# what there is more of them is told by the number of processes. One that was removed, or is held twice, is counted.
METRICS_FILE = re.compile(r"/.*/metrics/[^/]+/[^/]+\.db")
NUMBER = re.compile(r"\d+")
# Of what there is more, so many names are told.
MOST_NAMES = 5
# Processes that come and go as they please.
FLEETING = frozenset({"other", "forkserver"})
# What holds a version of the model that is released over and over: of those there may be any number.
RELEASED = f"runner {NAME}"


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A living process, and what it holds: how many descriptors of each name, without files that a scrape needs."""

    pid: int
    kind: str
    descriptors: Counter[str]


def holdings(processes: Iterable[psutil.Process]) -> list[Holding]:
    """Return what these processes hold now. The versions of the model that is released are one kind."""
    found, peers = [], unix_peers()
    for process in processes:
        try:
            kind, descriptors = _kind(process), descriptors_of(process.pid, peers)
        except (psutil.Error, OSError):
            continue  # it ended between the listing and the look
        needed = Counter(name for name in descriptors if METRICS_FILE.fullmatch(name))
        found.append(Holding(pid=process.pid, kind=kind, descriptors=descriptors - needed))
    return found


def more_processes(now: Sequence[Holding], before: Sequence[Holding]) -> list[str]:
    """Name the kinds that have more processes than before."""
    were, are = (Counter(each.kind for each in those) for those in (before, now))
    return [
        f"{count} processes '{kind}', {were[kind]} before"
        for kind, count in sorted(are.items())
        if kind not in {*FLEETING, RELEASED} and count > were[kind]
    ]


def more_descriptors(now: Sequence[Holding], before: Sequence[Holding]) -> list[str]:
    """Name the processes that hold more than any of their kind did before, and what they hold more of."""
    most: dict[str, Holding] = {}
    for each in before:
        most[each.kind] = max(each, most.get(each.kind, each), key=lambda one: one.descriptors.total())
    return [
        f"{each.descriptors.total()} descriptors of '{each.kind}' {each.pid}, "
        f"{fullest.descriptors.total()} before; more are {_listed(each.descriptors - fullest.descriptors)}"
        for each in now
        if (fullest := most.get(each.kind)) and each.descriptors.total() > fullest.descriptors.total() + SPARE
    ]


def _listed(names: Counter[str]) -> str:
    alike = Counter[str]()
    for name, count in names.items():
        # Of files that are named after a process, or a time, there is one of each.
        alike[NUMBER.sub("#", name) if name.startswith("/") else name] += count
    return ", ".join(f"{count} of {name}" for name, count in alike.most_common(MOST_NAMES))


def _kind(process: psutil.Process) -> str:
    kind = kind_of(title_of(process))
    return RELEASED if kind.startswith(f"runner {NAME}/") else kind


def processes_of(var_dir: Path) -> list[str]:
    """Name the processes that still live in a folder whose stack has ended."""
    mark = f"VAR_DIR={var_dir}"
    return [f"{process.pid} {title_of(process)}" for process in psutil.process_iter() if _has(process, mark)]


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return False
