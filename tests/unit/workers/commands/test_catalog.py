"""Names move by command, and what lies in the store is shown and checked."""

from pathlib import Path

import pytest

from model_store.manifest import decode_manifest
from model_store.reader import ModelStore
from tests.factories.settings import make_settings
from tests.factories.versions import accept, make_draft
from tests.unit.workers.commands.conftest import Run
from workers.bootstrap import assemble


@pytest.fixture
def two_versions(var_dir: Path, tmp_path: Path) -> None:
    """Release tiny/1, which is the default, and tiny/2."""
    parts = assemble(make_settings(var_dir))
    for _ in range(2):
        parts.releases.release(make_draft(tmp_path), prove=accept, by="test")
    parts.close()


def test_an_empty_list_says_what_to_do(run: Run) -> None:
    assert "flask models demo" in run("list").output


@pytest.mark.usefixtures("two_versions")
def test_the_list_has_a_line_per_version(run: Run) -> None:
    first, second = run("list").output.splitlines()

    assert first.split() == ["tiny/1", "image-classification", "online", "0.0", "MiB", "default"]
    assert second.startswith("tiny/2")


@pytest.mark.usefixtures("two_versions")
def test_a_version_is_shown_with_its_manifest(run: Run, store: ModelStore) -> None:
    output = run("show", "tiny/2").output
    shown = decode_manifest(output[output.index("{") :].encode())

    assert shown == store.manifest(store.refs()[1])
    assert store.digest(store.refs()[1]) in output


@pytest.mark.usefixtures("two_versions")
def test_a_model_is_shown_by_its_versions(run: Run) -> None:
    assert [line.split()[0] for line in run("show", "tiny").output.splitlines()] == ["tiny/1", "tiny/2"]


@pytest.mark.usefixtures("two_versions")
def test_an_alias_is_moved(run: Run) -> None:
    assert run("alias", "tiny", "stable", "2").exit_code == 0
    assert run("alias", "tiny", "default", "stable").output.endswith("tiny/default is now tiny/2\n")

    assert run("show", "tiny").output.splitlines()[1].endswith("default  stable")


@pytest.mark.usefixtures("two_versions")
def test_all_versions_of_a_model_are_verified(run: Run) -> None:
    result = run("verify", "tiny")

    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.output.splitlines()] == ["tiny/1", "tiny/2"]


@pytest.mark.usefixtures("two_versions")
def test_a_touched_version_fails_verification(run: Run, var_dir: Path) -> None:
    artifact = var_dir / "store" / "tiny" / "1" / "model.pt"
    artifact.chmod(0o644)
    artifact.write_bytes(b"forged!")
    result = run("verify", "tiny")

    assert result.exit_code == 1
    assert "tiny/1: The SHA-256 of 'tiny/1/model.pt' differs" in result.output
    assert "1 of 2 versions cannot be trusted" in result.output
    assert run("verify", "tiny/2").exit_code == 0


@pytest.mark.parametrize(
    "words", [("show", "gone"), ("verify", "gone"), ("pin", "gone/1"), ("alias", "gone", "a", "1")]
)
def test_an_unknown_model_is_named(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 1
    assert "There is no model named 'gone'." in result.output


@pytest.mark.usefixtures("two_versions")
@pytest.mark.parametrize("version", ["3", "beta", "../1"])
def test_an_unknown_version_is_named(run: Run, version: str) -> None:
    result = run("show", f"tiny/{version}")

    assert result.exit_code == 1
    assert f"no version or alias '{version}'" in result.output
