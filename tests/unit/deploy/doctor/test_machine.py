"""What the kernel tells is read, and what it does not tell is not made up."""

import os
from pathlib import Path

import pytest

from tests.factories.doctor import make_machine


def test_texts_and_numbers_are_read(tmp_path: Path) -> None:
    machine = make_machine(tmp_path, {"/proc/a": " 12", "/proc/b": "max"})

    assert (machine.text("/proc/a"), machine.number("/proc/a")) == ("12", 12)
    assert (machine.text("/proc/b"), machine.number("/proc/b")) == ("max", None)
    assert (machine.text("/proc/c"), machine.number("/proc/c")) == (None, None)


@pytest.mark.parametrize(("group", "expected"), [({}, 4096), ({"memory.max": "max"}, 4096), ({"memory.max": 77}, 77)])
def test_a_group_may_have_less_memory(tmp_path: Path, group: dict[str, object], expected: int) -> None:
    files = {f"/sys/fs/cgroup/{name}": value for name, value in group.items()}
    machine = make_machine(tmp_path, {"/proc/meminfo": "MemFree: 1 kB\nMemTotal:    4 kB", **files})

    assert machine.memory_bytes == expected


def test_memory_that_nobody_tells_of_is_unknown(tmp_path: Path) -> None:
    assert make_machine(tmp_path, {}).memory_bytes is None


@pytest.mark.parametrize(("quota", "most"), [("50000 100000", 0.5), ("max 100000", None), ("nonsense", None)])
def test_a_group_may_have_less_than_a_core(tmp_path: Path, quota: str, most: float | None) -> None:
    machine = make_machine(tmp_path, {"/sys/fs/cgroup/cpu.max": quota})

    assert machine.cores == (most or len(os.sched_getaffinity(0)))
