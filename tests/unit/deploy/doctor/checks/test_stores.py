"""The store and the files of jobs must be there to be read and written."""

import os
from pathlib import Path

import pytest

from deploy.doctor.checks import stores
from deploy.doctor.finding import Verdict
from tests.factories.doctor import assert_sound, make_case
from tests.factories.models import publish_model
from tests.factories.versions import make_store


def verdicts(folder: Path, **changes: object) -> dict[str, str]:
    case = make_case(folder, **changes)
    findings = [*stores.store(case), *stores.job_files(case)]
    for finding in findings:
        assert_sound(finding)
    return {finding.name: finding.verdict.value for finding in findings}


def test_what_is_still_to_be_made_will_do(tmp_path: Path) -> None:
    assert verdicts(tmp_path) == {"store": "ok", "models": "ok", "job files": "ok"}
    assert not (tmp_path / "var").exists()


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    found = verdicts(tmp_path, store_url=str(tmp_path / "file"), jobs_url=str(tmp_path / "file"))
    assert (found["store"], found["job files"]) == ("error", "error")


def test_a_closed_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)

    found = verdicts(tmp_path)
    assert (found["store"], found["job files"]) == ("error", "error")


@pytest.mark.parametrize("url", ["no-such-protocol://models", "memory://"])
def test_a_store_elsewhere_is_asked_itself(tmp_path: Path, url: str) -> None:
    found = verdicts(tmp_path, store_url=url, jobs_url="s3://bucket/jobs")

    assert found == {"models": "ok" if url == "memory://" else "error", "job files": "ok"}


def test_versions_are_counted(tmp_path: Path) -> None:
    publish_model(make_store(tmp_path), tmp_path)
    url = str(make_store(tmp_path).path(""))

    [*_, models] = stores.store(make_case(tmp_path, store_url=url))
    assert (models.verdict, models.says) == (Verdict.OK, "The store holds 1 versions.")
