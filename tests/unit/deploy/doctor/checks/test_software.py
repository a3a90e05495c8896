"""Old, missing and other software is named."""

from importlib.metadata import version
from pathlib import Path

import pytest

from deploy.doctor.checks import software
from deploy.doctor.finding import Verdict
from deploy.stack import checks
from tests.factories.doctor import the_one


def test_this_python_will_do_and_an_older_one_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_one(software.python()).verdict is Verdict.OK

    monkeypatch.setattr(checks, "OLDEST_PYTHON", (99, 0))
    assert the_one(software.python()).verdict is Verdict.ERROR


def test_web_workers_alone_run_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_one(software.torch()).verdict is Verdict.OK

    monkeypatch.setattr(software, "installed", lambda _name: None)
    assert the_one(software.torch()).verdict is Verdict.WARNING


def test_packages_of_other_versions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(f"# The set.\nflask==0.1\ngevent=={version('gevent')}\nnot-installed-at-all==1\n")

    finding = the_one(software.packages(path))
    assert finding.verdict is Verdict.WARNING
    assert f"flask {version('flask')} instead of 0.1." in finding.says
    assert "gevent" not in finding.says
    assert "not-installed" not in finding.says


def test_a_few_of_many_are_named(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("\n".join(f"{name}==0.1" for name in ("flask", "gevent", "redis", "celery", "alembic", "httpx")))

    finding = the_one(software.packages(path))
    assert finding.says.startswith("6 packages")
    assert finding.says.endswith(" ….")
    assert "httpx" not in finding.says
