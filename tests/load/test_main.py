"""What is measured and not as it is wanted ends the program with 1, when all is written."""

from pathlib import Path

import pytest

from tests.load import __main__ as program
from tests.load.measure import Plan, Progress
from tests.load.report import Table
from tests.load.suites import ALONE

SUITE = next(iter(ALONE))


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *, is_met: bool) -> None:
    def measure(_plan: Plan, _report: Progress) -> list[Table]:
        return [Table(title="A verdict", columns=["so"], rows=[["no"]], is_met=is_met)]

    monkeypatch.setattr("sys.argv", ["load", SUITE, "--out", f"{out}"])
    monkeypatch.setattr(program, "ALONE", {SUITE: measure})
    monkeypatch.setattr(program, "executable", lambda: out)
    monkeypatch.setattr(program, "missing_parts", lambda _: [])
    program.main()


def test_what_is_not_met_ends_it_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "measured.md"
    with pytest.raises(SystemExit, match="A verdict"):
        run(monkeypatch, out, is_met=False)

    assert "## A verdict" in out.read_text()


def test_what_is_met_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, tmp_path / "measured.md", is_met=True)
