"""Servers change behind the door, and whoever calls meanwhile is answered."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.doorkeeper.keeper import LEAST_LIFE_S
from tests.factories.doorkeepers import Door, running_door
from tests.factories.small_disk import SmallDisk, small_disk
from tests.factories.waiting import wait_until


@pytest.fixture
def door() -> Iterator[Door]:
    # Not pytest's own folder: a socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="galley-door-") as folder, running_door(Path(folder)) as door:
        yield door


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """A small disk for the run folder."""
    with (
        tempfile.TemporaryDirectory(prefix="galley-door-") as folder,
        small_disk(Path(folder) / "run", "100k") as disk,
    ):
        yield disk


@pytest.fixture
def door_on_disk(disk: SmallDisk) -> Iterator[Door]:
    with running_door(disk.folder.parent) as door:
        yield door


@contextmanager
def asking(door: Door) -> Iterator[list[int]]:
    """Call at the door, again and again, for the length of the block."""
    answers: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            answers.append(door.ask())

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        wait_until(lambda: answers)
        yield answers
    finally:
        is_over.set()
        caller.join()


def test_next_server_takes_over_and_no_call_is_refused(door: Door) -> None:
    first = door.record().serving
    with asking(door) as answers:
        door.process.send_signal(signal.SIGHUP)
        wait_until(lambda: answers[-1] != first)
        wait_until(lambda: not psutil.pid_exists(first))
        # A call that was refused would have ended the caller.
        count = len(answers)
        wait_until(lambda: len(answers) > count)

    assert door.record().serving == answers[-1]
    assert (door.record().changed, door.record().failed) == (2, 0)
    assert len(list((door.folder / "run").glob("door-*.sock"))) == 1


def test_server_that_does_not_come_up_replaces_nobody(door: Door) -> None:
    first = door.ask()
    door.break_server()
    door.process.send_signal(signal.SIGHUP)
    wait_until(lambda: door.record().failed == 1)

    assert door.ask() == first
    assert "does not answer" in door.said()


def test_server_that_is_not_ready_takes_over_only_where_the_one_before_is_not_either(door: Door) -> None:
    first = door.ask()
    door.impoverish()
    door.process.send_signal(signal.SIGHUP)
    wait_until(lambda: door.said().count("not ready") > 2)
    assert door.record().serving == first

    door.take_away()
    wait_until(lambda: door.record().changed == 2)
    assert door.record().serving != first


def test_server_before_serves_on_while_the_next_one_comes_up(door: Door) -> None:
    first = psutil.Process(door.record().serving)
    door.process.send_signal(signal.SIGHUP)
    wait_until(lambda: door.record().changed == 2)

    assert first.is_running()
    door.process.terminate()
    assert door.process.wait(30) == 0
    assert not first.is_running()


def test_server_that_dies_young_ends_the_doorkeeper(door: Door) -> None:
    os.kill(door.record().serving, signal.SIGKILL)

    assert door.process.wait(30) != 0


def test_end_leaves_nothing(door: Door) -> None:
    server = psutil.Process(door.record().serving)
    door.process.terminate()

    assert door.process.wait(30) == 0
    assert not server.is_running()
    assert list((door.folder / "run").glob("door-*.sock")) == []
    with pytest.raises(ConnectionRefusedError):
        door.ask()


def test_server_ends_with_a_doorkeeper_that_is_killed(door: Door) -> None:
    server = psutil.Process(door.record().serving)
    door.process.kill()
    door.process.wait(30)

    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def test_full_disk_keeps_no_server_out_and_is_made_up_for(door_on_disk: Door, disk: SmallDisk) -> None:
    first = door_on_disk.ask()
    filler = disk.fill()
    door_on_disk.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "cannot be written down yet" in door_on_disk.said())
    wait_until(lambda: door_on_disk.ask() != first)
    assert door_on_disk.record().serving == first

    filler.unlink()
    wait_until(lambda: door_on_disk.record().changed == 2)
    assert door_on_disk.record().serving != first


def test_doorkeeper_that_starts_on_a_full_disk_serves(disk: SmallDisk) -> None:
    disk.fill()
    with running_door(disk.folder.parent, is_recorded=False) as door:
        wait_until(lambda: "cannot be written down yet" in door.said())

        assert psutil.Process(door.ask()).ppid() == door.process.pid


def test_server_that_finds_no_room_to_start_replaces_nobody(door_on_disk: Door, disk: SmallDisk) -> None:
    first = door_on_disk.ask()
    disk.allow_files(0)
    door_on_disk.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "cannot be started" in door_on_disk.said())
    assert door_on_disk.ask() == first

    disk.allow_files(10)
    wait_until(lambda: door_on_disk.record().failed == 1)
    assert door_on_disk.record().serving == first


@pytest.mark.long
def test_callers_wait_until_there_is_room_for_the_server_after_one_that_died(door: Door) -> None:
    run_dir, away = door.folder / "run", door.folder / "away-for-now"
    first = psutil.Process(door.ask())
    wait_until(lambda: time.time() - first.create_time() > LEAST_LIFE_S + 1)
    run_dir.rename(away)
    first.kill()
    wait_until(lambda: door.said().count("cannot be started") > 1)
    away.rename(run_dir)

    assert door.ask() != first.pid
    wait_until(lambda: door.record().changed == 2)
