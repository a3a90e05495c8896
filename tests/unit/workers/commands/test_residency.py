"""What runs, by command; without a controller and a Redis nothing becomes READY."""

from pathlib import Path

import pytest

from app.db.repositories.models import VersionFacts
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft
from tests.unit.workers.commands.conftest import Run
from workers.bootstrap import assemble


@pytest.fixture(autouse=True)
def _one_version(var_dir: Path, tmp_path: Path) -> None:
    """Release tiny/1."""
    parts = assemble(make_settings(var_dir))
    parts.releases.release(make_draft(tmp_path), prove=accept, by="test")
    parts.close()


def facts(var_dir: Path) -> VersionFacts:
    parts = assemble(make_settings(var_dir))
    found = parts.releases.find("tiny")
    parts.close()
    return found


def test_a_version_is_pinned_and_let_go(run: Run) -> None:
    assert "tiny/1 is pinned" in run("pin", "tiny/1").output
    assert run("list").output.rstrip().endswith("pinned")

    assert "not pinned any more" in run("unpin", "tiny").output
    assert "pinned" not in run("list").output


def test_a_version_is_unloaded(run: Run, var_dir: Path) -> None:
    assert "tiny/1 is unloaded" in run("unload", "tiny").output
    assert facts(var_dir).is_unloaded


def test_a_load_that_takes_too_long_fails_and_stands(run: Run, var_dir: Path) -> None:
    run("unload", "tiny")

    result = run("load", "tiny", "--timeout", "0.1")

    assert (result.exit_code, "is being loaded" in result.output) == (1, True)
    assert not facts(var_dir).is_unloaded


def test_instances_are_set(run: Run, var_dir: Path) -> None:
    assert "2 runners" in run("instances", "tiny/default", "2").output
    assert facts(var_dir).instances == 2


@pytest.mark.parametrize("count", ["0", "17", "many"])
def test_instances_must_be_a_small_number(run: Run, count: str) -> None:
    assert run("instances", "tiny", count).exit_code == 2


@pytest.mark.parametrize("words", [("load",), ("unload",), ("pin",), ("unpin",)])
def test_an_unknown_version_is_an_error(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words, "tiny/9").exit_code == 1
