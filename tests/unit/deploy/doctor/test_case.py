"""Whether parts run is told by their locks, and nothing is made to find out."""

import fcntl
from pathlib import Path

import pytest

from app.settings import Settings
from deploy.doctor.case import local_folder, nearest_folder, parts_run
from deploy.doctor.machine import Machine
from deploy.doorkeeper.door_record import NAME as DOOR
from deploy.doorkeeper.door_record import DoorRecord, write_record
from deploy.stack.folders import only_stack
from tests.factories.doctor import make_case, make_machine


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = make_case(tmp_path).settings
    for folder in (settings.var_dir, settings.run_dir):
        folder.mkdir(parents=True)
    return settings


def runs(settings: Settings) -> bool:
    return parts_run(settings, Machine())


def test_a_stack_runs_while_it_holds_the_lock(settings: Settings) -> None:
    with only_stack(settings.var_dir):
        assert runs(settings)
    assert not runs(settings)


def test_a_controller_runs_while_it_holds_the_lock(settings: Settings) -> None:
    with (settings.run_dir / "controller.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert runs(settings)
    assert not runs(settings)


@pytest.mark.parametrize(("command", "is_ours"), [("python\0-m\0deploy.doorkeeper\0python", True), ("vi", False)])
def test_a_doorkeeper_runs_while_the_process_is_one(settings: Settings, command: str, is_ours: bool) -> None:
    write_record(settings.run_dir, DoorRecord(doorkeeper=77))
    machine = make_machine(settings.var_dir / "machine", {"/proc/77/cmdline": command})

    assert parts_run(settings, machine) is is_ours
    assert not parts_run(settings, make_machine(settings.var_dir / "another", {}))


def test_a_torn_record_is_nobodys(settings: Settings) -> None:
    (settings.run_dir / DOOR).write_bytes(b"{")

    assert not runs(settings)


def test_where_no_stack_was_nothing_is_left(tmp_path: Path) -> None:
    assert not runs(make_case(tmp_path).settings)
    assert list(tmp_path.iterdir()) == []


def test_to_look_keeps_no_stack_from_starting(settings: Settings) -> None:
    with only_stack(settings.var_dir):
        pass
    runs(settings)
    with only_stack(settings.var_dir):
        assert runs(settings)


def test_the_nearest_folder_is_there(tmp_path: Path) -> None:
    assert nearest_folder(tmp_path) == nearest_folder(tmp_path / "a" / "b") == tmp_path


def test_a_host_of_ours_alone_is_not_open(tmp_path: Path) -> None:
    opened = [
        make_case(tmp_path, host=host).is_open for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.1.2.3")
    ]

    assert opened == [False, False, False, True, True]


def test_only_a_path_is_a_folder() -> None:
    assert [local_folder(url) for url in ("var/jobs", "file:///srv/jobs", "s3://bucket/jobs")] == [
        Path("var/jobs"),
        Path("/srv/jobs"),
        None,
    ]
