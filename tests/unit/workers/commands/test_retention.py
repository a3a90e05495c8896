"""Versions are deleted by command, after a look at what would go."""

from pathlib import Path

import pytest

from model_store.reader import ModelStore
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft
from tests.unit.workers.commands.conftest import Run
from workers.bootstrap import assemble


@pytest.fixture(autouse=True)
def _four_versions(var_dir: Path, tmp_path: Path) -> None:
    """Release tiny/1, which is the default, to tiny/4."""
    parts = assemble(make_settings(var_dir))
    for _ in range(4):
        parts.releases.release(make_draft(tmp_path), prove=accept, by="test")
    parts.close()


def stored(store: ModelStore) -> list[int]:
    return [ref.version for ref in store.refs()]


def test_a_version_is_deleted(run: Run, store: ModelStore) -> None:
    assert run("delete", "tiny", "2").output == "tiny/2 is deleted\n"
    assert stored(store) == [1, 3, 4]
    assert run("delete", "tiny", "2").exit_code == 1


def test_a_version_in_use_is_not_deleted(run: Run, store: ModelStore) -> None:
    result = run("delete", "tiny", "default")

    assert result.exit_code == 1
    assert "the alias 'default' points at it" in result.output
    assert stored(store) == [1, 2, 3, 4]


def test_a_prune_shows_what_it_would_do(run: Run, store: ModelStore) -> None:
    assert run("prune", "tiny", "--keep", "1").output.splitlines() == [
        "tiny/1 stays: the alias 'default' points at it",
        "tiny/4 stays: it is one of the newest 1",
        "tiny/2 would be deleted",
        "tiny/3 would be deleted",
        "Nothing was deleted; add --apply to do it.",
    ]
    assert stored(store) == [1, 2, 3, 4]


def test_a_prune_does_it_when_told(run: Run, store: ModelStore) -> None:
    assert "tiny/2 is deleted" in run("prune", "tiny", "--keep", "1", "--apply").output
    assert stored(store) == [1, 4]


@pytest.mark.parametrize("words", [["--keep", "0"], [], ["--keep", "two"]])
def test_a_prune_must_know_how_many_stay(run: Run, words: list[str]) -> None:
    assert run("prune", "tiny", *words).exit_code == 2
