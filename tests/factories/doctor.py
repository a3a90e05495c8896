"""Cases for the doctor: settings in a folder of the test's own, on a machine that is as the test says."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, Verdict
from deploy.doctor.machine import Machine
from tests.factories.settings import make_settings


def make_machine(root: Path, files: Mapping[str, object]) -> Machine:
    """Return a machine whose kernel tells this."""
    for path, content in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
    return Machine(root)


def make_case(
    folder: Path, kernel: Mapping[str, object] | None = None, *, is_running: bool = False, **changes: Any
) -> Case:
    """Return a case with the default settings under `folder`, with `changes` made."""
    machine = make_machine(folder / "machine", kernel or {})
    return Case(settings=make_settings(folder / "var", **changes), machine=machine, is_running=is_running)


def the_one(findings: Iterable[Finding]) -> Finding:
    """Return the only finding; what is bad about it can be mended."""
    [finding] = findings
    assert_sound(finding)
    return finding


def assert_sound(finding: Finding) -> None:
    """Assert that a finding says something, and how to mend it if it is bad."""
    assert finding.name
    assert finding.says
    assert bool(finding.mend) == (finding.verdict is not Verdict.OK)
