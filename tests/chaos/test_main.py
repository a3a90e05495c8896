"""The exit status tells whether every invariant held, whether one did not, or whether nothing could be run."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import __main__ as program
from tests.chaos.journal import Journal


def run(monkeypatch: pytest.MonkeyPatch, run_chaos: Any, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["chaos", *(words or ("--no-out", "--seconds", "1"))])
    monkeypatch.setattr(program, "run_chaos", run_chaos)
    return program.main()


@pytest.mark.parametrize(("rules", "status"), [([], 0), (["once"], 1)])
def test_a_run(monkeypatch: pytest.MonkeyPatch, rules: list[str], status: int) -> None:
    journal = Journal()
    for rule in rules:
        journal.broken(rule, "planted")

    assert run(monkeypatch, lambda *_, **__: journal) == status


def test_what_cannot_be_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def skip(*_: Any, **__: Any) -> Journal:
        pytest.skip("there is no nginx")

    assert run(monkeypatch, skip) == 2
    assert "there is no nginx" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "is_written"), [("600", True), ("599", False)])
def test_only_a_run_of_ten_minutes_is_written_into_the_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: str, is_written: bool
) -> None:
    document = tmp_path / "chaos.md"
    document.write_text("# Chaos\n")
    monkeypatch.setattr(program, "DOCUMENT", document)
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}")

    assert run(monkeypatch, lambda *_, **__: Journal(), "--out", f"{document}", "--seconds", seconds) == 0

    place = Path(capsys.readouterr().out.rsplit("wrote it into ", 1)[1].strip())
    assert "## Broken invariants" in place.read_text()
    assert (place == document) == ("## Broken invariants" in document.read_text()) == is_written
