"""A kernel that is set against Galley is told of, and one that tells nothing is not blamed."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.doctor.case import Case
from deploy.doctor.checks import kernel
from deploy.doctor.finding import Finding, Verdict
from tests.factories.doctor import make_case, the_one

Check = Callable[[Case], Iterator[Finding]]
SOMAXCONN = "/proc/sys/net/core/somaxconn"
AUTOGROUP = "/proc/sys/kernel/sched_autogroup_enabled"
OVERCOMMIT = "/proc/sys/vm/overcommit_memory"
HUGE = "/sys/kernel/mm/transparent_hugepage/enabled"
CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
CPU = "/sys/fs/cgroup/cpu.max"
MEMORY = "/sys/fs/cgroup/memory.max"


def meminfo(*, swapped: int) -> dict[str, object]:
    return {"/proc/meminfo": f"MemTotal: 1000 kB\nSwapTotal: 500 kB\nSwapFree: {500 - swapped} kB"}


@pytest.mark.parametrize(
    ("check", "told", "verdict"),
    [
        (kernel.backlog, {SOMAXCONN: 128}, "warning"),
        (kernel.backlog, {SOMAXCONN: 4096}, "ok"),
        (kernel.backlog, {}, "ok"),
        (kernel.autogroup, {AUTOGROUP: 1}, "warning"),
        (kernel.autogroup, {AUTOGROUP: 0}, "ok"),
        (kernel.autogroup, {}, "ok"),
        (kernel.overcommit, {OVERCOMMIT: 0}, "warning"),
        (kernel.overcommit, {OVERCOMMIT: 1}, "ok"),
        (kernel.overcommit, {OVERCOMMIT: 2}, "warning"),
        (kernel.huge_pages, {HUGE: "[always] madvise never"}, "warning"),
        (kernel.huge_pages, {HUGE: "always [madvise] never"}, "ok"),
        (kernel.huge_pages, {}, "ok"),
        (kernel.swap, meminfo(swapped=40), "ok"),
        (kernel.swap, meminfo(swapped=60), "warning"),
        (kernel.clock_source, {CLOCK: "tsc"}, "ok"),
        (kernel.clock_source, {CLOCK: "hpet"}, "warning"),
        (kernel.clock_source, {}, "ok"),
    ],
)
def test_kernel(tmp_path: Path, check: Check, told: dict[str, object], verdict: str) -> None:
    assert the_one(check(make_case(tmp_path, told))).verdict == verdict


@pytest.mark.parametrize(
    ("check", "told", "changes", "verdict"),
    [
        (kernel.cores, {CPU: "100000 100000"}, {"web_workers": 1, "job_workers": 1}, "ok"),
        (kernel.cores, {CPU: "100000 100000"}, {"web_workers": 2, "job_workers": 1}, "warning"),
        (kernel.memory, {MEMORY: 2**30}, {"job_workers": 2, "job_memory_limit": 2**30}, "warning"),
        (kernel.memory, {MEMORY: 4 * 2**30}, {"job_workers": 2, "job_memory_limit": 2**30}, "ok"),
        (kernel.memory, {MEMORY: 4 * 2**30}, {"job_workers": 0, "memory_budget": 4 * 2**30}, "warning"),
        (kernel.memory, {}, {}, "ok"),
        (kernel.verification_memory, {MEMORY: 2**30}, {"verification_memory": 2**31}, "error"),
        (kernel.verification_memory, {MEMORY: 2**31}, {"verification_memory": 2**30}, "ok"),
    ],
)
def test_what_is_allowed_must_be_there(
    tmp_path: Path, check: Check, told: dict[str, object], changes: dict[str, Any], verdict: str
) -> None:
    assert the_one(check(make_case(tmp_path, told, **changes))).verdict == verdict


@pytest.mark.parametrize(("hard", "verdict"), [(1024, "warning"), (65_536, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_a_web_worker_needs_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard: int, verdict: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, hard))

    assert the_one(kernel.descriptors(make_case(tmp_path))).verdict == verdict


def test_gunicorns_numbers_are_read_without_running_it(tmp_path: Path) -> None:
    path = tmp_path / "gunicorn.conf.py"
    path.write_text("import nothing_of_the_kind\nbacklog = 7\nworkers = settings.web_workers\nname = 'x'\n")

    assert kernel.gunicorn_numbers(path) == {"backlog": 7}
    assert {"worker_connections", "backlog"} <= kernel.gunicorn_numbers().keys()


def test_a_strict_kernel_is_explained(tmp_path: Path) -> None:
    says = [the_one(kernel.overcommit(make_case(tmp_path, {OVERCOMMIT: mode}))).says for mode in (0, 2)]

    assert ["torch" in each for each in says] == [False, True]
    assert the_one(kernel.overcommit(make_case(tmp_path, {OVERCOMMIT: 1}))).verdict is Verdict.OK
