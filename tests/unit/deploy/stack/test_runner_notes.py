"""What a reload reads of the controller's notes is what the controller writes."""

from pathlib import Path

from msgspec.structs import replace

from deploy.stack.runner_notes import outdated_versions
from tests.factories.stack import ROOT
from tests.unit.workers.controller.test_runner_files import make_note
from workers.controller.runner_files import RunnerFiles


def test_outdated_runners_are_found(tmp_path: Path) -> None:
    files = RunnerFiles(tmp_path / "runners")
    old, new = replace(make_note(files), is_outdated=True), make_note(files)
    for note in (old, new):
        files.write(note)

    assert outdated_versions(tmp_path) == [old.desired]


def test_note_of_an_outdated_runner_is_found_by_grep_as_the_runbook_does(tmp_path: Path) -> None:
    files = RunnerFiles(tmp_path / "runners")
    old, new = replace(make_note(files), is_outdated=True), make_note(files)
    for note in (old, new):
        files.write(note)
    sought = '"is_outdated":true'

    found = [path.stem for path in tmp_path.glob("runners/*.json") if sought in path.read_text()]
    assert found == [Path(old.address).stem]
    assert sought in (ROOT / "docs" / "operations.md").read_text()


def test_before_the_first_controller_there_is_none(tmp_path: Path) -> None:
    assert outdated_versions(tmp_path) == []
