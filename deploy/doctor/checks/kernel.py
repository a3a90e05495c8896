"""What the kernel allows and how it is set: descriptors, queues, memory, priorities."""

import ast
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.infra.descriptors import WANTED
from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.supervision import ROOT

GUNICORN: Final = ROOT / "deploy" / "gunicorn.conf.py"
# Pipes, files, and connections to Redis, SQL and runners, beside those of callers.
DESCRIPTORS_BESIDE: Final = 1024
SWAPPED_SHARE: Final = 0.05
_NEVER_OVERCOMMIT: Final = 2
SLOW_CLOCKS: Final = frozenset({"hpet", "acpi_pm", "jiffies"})


def descriptors(_case: Case) -> Iterator[Finding]:
    """How many connections a web worker can hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = gunicorn_numbers()["worker_connections"] + DESCRIPTORS_BESIDE
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield warning(
            "descriptors",
            f"A process may open {hard} files, and a web worker with all its connections needs {needed}.",
            f"Raise the hard limit: `ulimit -Hn {WANTED}`, LimitNOFILE={WANTED} of a unit, or limits.conf.",
        )
    else:
        yield good("descriptors", "A web worker can open as many connections as it takes.")


def backlog(case: Case) -> Iterator[Finding]:
    """How many connections wait to be taken."""
    wanted, most = gunicorn_numbers()["backlog"], case.machine.number("/proc/sys/net/core/somaxconn")
    if most is not None and most < wanted:
        yield warning(
            "backlog",
            f"The kernel lets {most} connections wait, gunicorn would {wanted}: bursts are refused sooner.",
            f"sysctl -w net.core.somaxconn={wanted}",
        )
    else:
        yield good("backlog", "As many connections may wait as gunicorn asks for.")


def autogroup(case: Case) -> Iterator[Finding]:
    """Whether the priority of Celery's processes means anything to those of another session."""
    if case.machine.number("/proc/sys/kernel/sched_autogroup_enabled"):
        yield warning(
            "autogroup",
            "The kernel shares processors between sessions first: `nice` does not make jobs give way to requests.",
            "sysctl -w kernel.sched_autogroup_enabled=0, or run the parts as units with CPUWeight (deploy/systemd).",
        )
    else:
        yield good("autogroup", "Jobs give way to requests by their priority.")


def overcommit(case: Case) -> Iterator[Finding]:
    """Whether Redis can fork to rewrite its file."""
    if case.machine.number("/proc/sys/vm/overcommit_memory") == 1:
        yield good("overcommit", "Redis can fork however much it holds.")
        return

    is_strict = case.machine.number("/proc/sys/vm/overcommit_memory") == _NEVER_OVERCOMMIT
    yield warning(
        "overcommit",
        "Memory is promised only as far as it is there: torch reserves more than it uses, and Redis cannot fork."
        if is_strict
        else "With little memory left Redis may not be able to fork, and its file only grows then.",
        "sysctl -w vm.overcommit_memory=1, where Redis runs.",
    )


def huge_pages(case: Case) -> Iterator[Finding]:
    """Whether each page that Redis writes during a fork copies two megabytes."""
    if "[always]" in (case.machine.text("/sys/kernel/mm/transparent_hugepage/enabled") or ""):
        yield warning(
            "huge pages",
            "Transparent huge pages are always on: Redis answers late while it rewrites its file.",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, where Redis runs.",
        )
    else:
        yield good("huge pages", "Transparent huge pages are for who asks for them.")


def swap(case: Case) -> Iterator[Finding]:
    """Whether models lie on the disk already."""
    total, free, memory = (case.machine.memory(name) or 0 for name in ("SwapTotal", "SwapFree", "MemTotal"))
    if total - free > SWAPPED_SHARE * memory:
        yield warning(
            "swap",
            f"{(total - free) / 2**20:.0f} MiB are swapped out: what was swapped answers late.",
            "Set MEMORY_BUDGET lower, give the machine more memory, or set vm.swappiness=1.",
        )
    else:
        yield good("swap", "Next to nothing is swapped out.")


def clock_source(case: Case) -> Iterator[Finding]:
    """What it costs to ask for the time, which every request does a dozen times."""
    source = case.machine.text("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown"
    if source in SLOW_CLOCKS:
        yield warning(
            "clock source",
            f"The kernel's clock is {source}: each look at it is a microsecond or more.",
            "Let the machine use tsc (or its hypervisor's clock): see the kernel's log for why it does not.",
        )
    else:
        yield good("clock source", f"The kernel's clock is {source}.")


def cores(case: Case) -> Iterator[Finding]:
    """Whether there are more processes than can run."""
    settings, count = case.settings, case.machine.cores
    if settings.web_workers + settings.job_workers > 2 * count:
        yield warning(
            "cores",
            f"WEB_WORKERS={settings.web_workers} and JOB_WORKERS={settings.job_workers} share {count:g} cores with"
            " the runners.",
            "Set both so that they are no more than twice the cores together.",
        )
    else:
        yield good("cores", f"There are {count:g} cores for {settings.web_workers} web workers and the rest.")


def memory(case: Case) -> Iterator[Finding]:
    """Whether what is allowed to be taken is there."""
    settings, total = case.settings, case.machine.memory_bytes
    wanted = settings.job_workers * settings.job_memory_limit + settings.memory_budget
    wanted += settings.web_workers * settings.cache_memory
    if total is not None and wanted > total:
        yield warning(
            "memory",
            f"JOB_WORKERS × JOB_MEMORY_LIMIT, MEMORY_BUDGET and CACHE_MEMORY come to {wanted / 2**30:.1f} GiB of"
            f" {total / 2**30:.1f} GiB.",
            "Set them lower, or the kernel ends a process of Celery when all is used.",
        )
    else:
        yield good("memory", f"What processes may take comes to {wanted / 2**30:.1f} GiB, and is there.")


def verification_memory(case: Case) -> Iterator[Finding]:
    """Whether a model that is verified can take all that there is."""
    total = case.machine.memory_bytes
    if total is not None and case.settings.verification_memory > total:
        yield error(
            "verification memory",
            "VERIFICATION_MEMORY is more than the machine has: a model that is verified can end other processes.",
            f"Set VERIFICATION_MEMORY to {total // 4} or less.",
        )
    else:
        yield good("verification memory", "A model that is verified can take less than there is.")


def gunicorn_numbers(path: Path = GUNICORN) -> dict[str, int]:
    """Return the plain numbers of gunicorn's configuration, which is read and not run: it changes its process."""
    found = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(value))):
                found[name] = value
    return found
