"""What a new controller does with the notes an earlier one left."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from msgspec.structs import replace
from prometheus_client.mmap_dict import MmapedDict

from app.inference.messages import RunnerState, RunnerStatus
from app.settings import Settings
from tests.factories.settings import make_settings
from tests.fakes.runner import FakeRunner
from workers.controller.fleet import Fleet
from workers.controller.memory import Footprint
from workers.controller.runner_files import RunnerFiles, RunnerNote
from workers.controller.runner_process import RunnerProcess, read_start_ticks


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path, run_dir=tmp_path)


@pytest.fixture
def files(settings: Settings) -> RunnerFiles:
    return RunnerFiles(settings.run_dir / "runners")


@pytest.fixture
def fleet(settings: Settings) -> Iterator[Fleet]:
    fleet = Fleet(settings)
    yield fleet
    fleet.close()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a runner's."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def note(files: RunnerFiles, child: subprocess.Popen[bytes]) -> RunnerNote:
    """The note of a runner that lives."""
    return RunnerNote(
        name="digits",
        version=1,
        digest="0" * 64,
        address=files.new_address(),
        started_at=1.0,
        pid=child.pid,
        started_ticks=read_start_ticks(child.pid),
    )


@pytest.fixture
def runner(note: RunnerNote) -> Iterator[FakeRunner]:
    """Answers at the note's address that it is READY."""
    status = RunnerStatus(
        call_id=0, name="digits", version=1, digest=note.digest, state=RunnerState.READY, pid=note.pid
    )
    runner = FakeRunner(note.address, lambda request, _: (replace(status, call_id=request.call_id), []))
    yield runner
    runner.close()


def left_files(settings: Settings) -> list[str]:
    return sorted(path.suffix for path in (settings.run_dir / "runners").iterdir())


@pytest.mark.usefixtures("runner")
def test_living_runner_is_adopted_with_its_state(fleet: Fleet, files: RunnerFiles, note: RunnerNote) -> None:
    files.write(note)

    fleet.adopt()

    (record,) = fleet.records()
    assert (record.pid, record.state, record.address) == (note.pid, RunnerState.READY, note.address)
    assert files.read() == [note]


@pytest.mark.usefixtures("runner")
def test_runner_whose_pid_was_not_noted_is_found_at_its_address(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote
) -> None:
    files.write(replace(note, pid=0, started_ticks=0))

    fleet.adopt()

    assert [record.pid for record in fleet.records()] == [note.pid]
    assert files.read() == [note]


def test_runner_that_says_nothing_is_watched_as_loading(fleet: Fleet, files: RunnerFiles, note: RunnerNote) -> None:
    files.write(note)

    fleet.adopt()

    (view,) = fleet.view()
    assert view.state is RunnerState.LOADING
    assert view.silent_s > 0.0


def test_note_of_a_dead_runner_is_swept_with_its_socket(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote, settings: Settings
) -> None:
    files.write(replace(note, started_ticks=note.started_ticks + 1))
    Path(note.address.removeprefix("ipc://")).touch()
    (settings.run_dir / "runners" / "stray.sock").touch()

    fleet.adopt()

    assert len(fleet) == 0
    assert left_files(settings) == []
    os.kill(note.pid, 0)


def test_runners_are_weighed_in_turns(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.controller.fleet.WEIGHED_AT_ONCE", 1)
    for each in (note, replace(note, address=files.new_address())):
        files.write(each)
    fleet.adopt()

    weighed = []
    for _ in range(3):
        fleet.weigh_some()
        weighed.append(sum(view.memory_bytes > 0 for view in fleet.view()))

    assert weighed == [1, 2, 2]


@pytest.mark.usefixtures("runner")
def test_share_of_a_runner_that_ended_falls_to_the_others(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote, child: subprocess.Popen[bytes]
) -> None:
    files.write(note)
    fleet.adopt()
    (watched,) = list(fleet)
    watched.footprint = Footprint(share_bytes=110, private_bytes=10)

    with mock.patch.object(RunnerProcess, "start", return_value=RunnerProcess.adopt(os.getpid())):
        fleet.start(note.desired, Path())
    assert watched.footprint.share_bytes == 76
    child.kill()
    child.wait()
    (newest,) = [each for each in fleet if each is not watched]
    newest.footprint = Footprint(share_bytes=76, private_bytes=10)
    fleet.reap({watched.process.fileno()})

    assert newest.footprint.share_bytes == 109


def test_counts_of_runners_that_died_unwatched_are_folded(fleet: Fleet, settings: Settings) -> None:
    folder = settings.metrics_dir / "runners"
    folder.mkdir(parents=True)
    # No process has this number: it is above the kernel's largest.
    for kind in ("counter", "gauge_livesum"):
        MmapedDict(str(folder / f"{kind}_{2**22 + 1}.db")).close()

    fleet.adopt()

    assert [path.name for path in folder.glob("*.db")] == ["counter_folded.db"]


@pytest.mark.usefixtures("runner")
def test_end_of_an_adopted_runner_clears_it_away(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote, settings: Settings, child: subprocess.Popen[bytes]
) -> None:
    files.write(note)
    fleet.adopt()
    (watched,) = list(fleet)
    child.kill()
    child.wait()

    (ended,) = fleet.reap({watched.process.fileno()})

    assert (ended.version, ended.was_told) == (note.desired, False)
    assert ended.served_s > 0.0
    assert len(fleet) == 0
    assert files.read() == []


def test_runner_that_cannot_be_started_leaves_nothing(
    fleet: Fleet, note: RunnerNote, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunnerProcess, "start", mock.Mock(side_effect=BlockingIOError("no more processes")))

    with pytest.raises(OSError, match="no more processes"):
        fleet.start(note.desired, settings.var_dir)

    assert len(fleet) == 0
    assert left_files(settings) == []


@pytest.mark.usefixtures("runner")
def test_living_runner_is_adopted_though_the_disk_is_full(
    fleet: Fleet, files: RunnerFiles, note: RunnerNote, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(replace(note, pid=0, started_ticks=0))
    monkeypatch.setattr(RunnerFiles, "write", mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))

    fleet.adopt()

    assert [record.pid for record in fleet.records()] == [note.pid]
