"""The documents name only what is there: files, settings, manifest fields, steps, make targets, commands."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from app import errors
from app.settings import Settings
from model_store.manifest import Manifest, Task, decode_manifest
from model_store.signature import decode_samples
from tests.architecture.source import ROOT, project_files

DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
# Settings that are derived from others, and those that have a second spelling.
NOT_VARIABLES = {"run_dir"}
MORE_VARIABLES = {"JWT_SECRET_FILE"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    """Each relative link is a file of the project, and its anchor one of the file's headings."""
    broken = []
    for target, anchor in LINK.findall(document.read_text("utf-8")):
        path = (document.parent / target).resolve() if target else document
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(f"{target}#{anchor}")

    assert broken == []


def test_every_setting_is_explained() -> None:
    """The table in docs/operations.md has each setting once, and nothing else."""
    section = _section("docs/operations.md", "Settings")
    named = set(re.findall(r"^\| (.+?) \|", section, re.MULTILINE))
    variables = set(re.findall(r"`([A-Z_]{3,})`", " ".join(named)))

    expected = {field.name.upper() for field in fields(Settings) if field.name not in NOT_VARIABLES}
    assert variables == expected | MORE_VARIABLES


def test_every_manifest_field_is_explained() -> None:
    """The table in docs/models.md has each field of the manifest, in the order of the class."""
    section = _section("docs/models.md", "The manifest")

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(Manifest.__struct_fields__)


def test_examples_of_manifest_and_samples_are_read() -> None:
    """The JSON of docs/models.md is what the store reads, and each task has its manifest there."""
    examples = re.findall(r"```json\n(.*?)```", (ROOT / "docs/models.md").read_text("utf-8"), re.DOTALL)
    samples = [example for example in examples if example.startswith('{"samples"')]
    manifests = [decode_manifest(example.encode()) for example in examples if example not in samples]

    assert manifests[0].labels == ["red", "green", "blue"]
    assert {manifest.task for manifest in manifests} == set(get_args(Task))
    assert [len(decode_samples(example.encode())) for example in samples] == [1]


def test_make_targets_exist() -> None:
    """Every `make TARGET` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for code in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", document.read_text("utf-8"), re.DOTALL)
        for target in re.findall(r"\bmake (?:-s )?([a-z-]+)", " ".join(code))
    }

    assert named <= targets


def test_every_error_is_in_the_tree() -> None:
    """The tree in the docstring of app/errors.py draws each class of the module."""
    drawn = set(re.findall(r"\b[A-Z][a-z]+[A-Za-z]+\b", errors.__doc__ or ""))
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}

    assert defined - {"ClassVar"} <= drawn


def _section(path: str, heading: str) -> str:
    text = (ROOT / path).read_text("utf-8")
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
