"""Processes and descriptors that a run leaves behind are found."""

import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.chaos.remains import RELEASED, SPARE, Holding, holdings, more_descriptors, more_processes, processes_of


def holding(pid: int, kind: str = "web worker", **descriptors: int) -> Holding:
    return Holding(pid=pid, kind=kind, descriptors=Counter(descriptors))


def test_more_processes_of_a_kind_than_before() -> None:
    before = [holding(1), holding(2), holding(3, RELEASED), holding(4, "other")]

    assert more_processes([holding(7), holding(8)], before) == []
    assert more_processes([*before, holding(5, RELEASED), holding(6, "other")], before) == []
    assert more_processes([*before, holding(5)], before) == ["3 processes 'web worker', 2 before"]


def test_a_process_that_holds_more_than_any_of_its_kind_did_before() -> None:
    before = [holding(1, sockets=40), holding(2, sockets=10, files=5), holding(3, "celery", sockets=1)]

    assert more_descriptors([holding(7, sockets=40 + SPARE), holding(8)], before) == []
    assert more_descriptors([holding(9, "of a new kind", sockets=400)], before) == []
    assert more_descriptors([holding(7, sockets=39 + SPARE, files=2)], before) == [
        f"{41 + SPARE} descriptors of 'web worker' 7, 40 before; more are {SPARE - 1} of sockets, 2 of files"
    ]


def test_what_a_process_holds() -> None:
    [found] = holdings([psutil.Process()])

    assert found.pid == os.getpid()
    assert found.descriptors.total() >= 3


def test_files_that_a_scrape_needs_are_no_matter_unless_they_are_held_twice_or_were_removed(tmp_path: Path) -> None:
    folder = tmp_path / "metrics" / "web"
    folder.mkdir(parents=True)
    names = ["once.db", "twice.db", "twice.db", "removed.db"]
    with ExitStack() as files:
        for name in names:
            files.enter_context((folder / name).open("a"))
        (folder / "removed.db").unlink()
        [found] = holdings([psutil.Process()])

    told = {name: count for name, count in found.descriptors.items() if name.startswith(f"{folder}")}
    assert told == {f"{folder}/twice.db": 1, f"{folder}/removed.db (deleted)": 1}


def test_files_with_a_number_are_told_together() -> None:
    now = Counter({f"/run/counter_{pid}.db (deleted)": 1 for pid in range(2 * SPARE)})
    [told] = more_descriptors([Holding(pid=1, kind="web", descriptors=now)], [holding(2, "web")])

    assert told.endswith(f"more are {2 * SPARE} of /run/counter_#.db (deleted)")


def test_a_process_that_outlives_its_stack_is_found_by_its_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "VAR_DIR": f"{tmp_path}"}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE) as process:
        assert [line.split()[0] for line in processes_of(tmp_path)] == [f"{process.pid}"]
        assert processes_of(tmp_path / "other") == []
        process.communicate()

    assert processes_of(tmp_path) == []
