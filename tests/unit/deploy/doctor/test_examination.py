"""Every check that there is, is made."""

import inspect
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from deploy.doctor import checks, examination
from deploy.doctor.case import Case
from deploy.doctor.examination import CHECKS, SOFTWARE, examine
from deploy.doctor.finding import Finding, Verdict, good
from tests.factories.doctor import assert_sound, make_case
from tests.factories.nobody import as_nobody


def test_no_check_is_forgotten() -> None:
    modules = [import_module(f"{checks.__name__}.{module.name}") for module in iter_modules(checks.__path__)]
    written = {
        member
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isgeneratorfunction)
        if member.__module__ == module.__name__ and not name.startswith("_") and name != "judge"
    }

    assert written == {*CHECKS, *SOFTWARE}


def half_done(_case: Case) -> Iterator[Finding]:
    yield good("first half", "It is as it should be.")
    raise ZeroDivisionError("nothing to share")


def test_what_goes_wrong_is_a_finding_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "CHECKS", (half_done, half_done))

    findings = examine(make_case(tmp_path))
    assert [finding.name for finding in findings] == ["first half", "half done"] * 2
    assert findings[1].verdict is Verdict.ERROR
    assert "nothing to share" in findings[1].says


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user may pass; pytest's are for one alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


def test_a_folder_that_is_closed_to_this_user_is_named(passable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each check that needs it; what the checks of another kind find is told all the same."""
    case = make_case(passable)
    case.settings.var_dir.mkdir(mode=0o000)
    monkeypatch.setattr(examination, "CHECKS", tuple(check for check in CHECKS if check.__name__ != "walls"))
    with as_nobody():
        findings = examine(case)

    bad = {finding.name: finding.says for finding in findings if finding.verdict is Verdict.ERROR}
    assert {"var dir", "run dir", "secrets", "database", "store", "job files"} <= set(bad)
    assert "cannot be written to" in bad["var dir"]
    assert not [says for says in bad.values() if "It cannot be looked at" in says]
    assert {"port", "descriptors", "tls"} <= {finding.name for finding in findings} - set(bad)
    for finding in findings:
        assert_sound(finding)
