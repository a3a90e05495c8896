"""Files of secrets that others may read are named."""

from pathlib import Path

import pytest

from deploy.doctor.checks import secrets
from deploy.doctor.finding import Verdict
from tests.factories.doctor import make_case, the_one


def write(path: Path, mode: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a secret")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o600, "ok"), (0o400, "ok"), (0o640, "ok"), (0o644, "error"), (0o660, "error"), (0o602, "error")],
)
def test_only_their_owner_reads_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, verdict: str
) -> None:
    case = make_case(tmp_path)
    monkeypatch.setattr(secrets, "_is_passable", lambda _folder: True)
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "elsewhere" / "database_url"))

    for name in ("var/secrets/jwt_secret", "var/admin.env", "elsewhere/database_url"):
        path = write(tmp_path / name, mode)
        finding = the_one(secrets.secrets(case))
        assert finding.verdict == verdict
        assert (str(path) in finding.mend) == (verdict == "error")
        assert "a secret" not in repr(finding)
        path.unlink()


def test_a_file_in_a_closed_folder_is_not_open(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    write(tmp_path / "var/secrets/jwt_secret", 0o444)
    (tmp_path / "var/secrets").chmod(0o700)

    assert the_one(secrets.secrets(case)).verdict == "ok"


@pytest.mark.parametrize(
    ("environment", "is_there", "verdict"),
    [("development", True, Verdict.OK), ("production", True, Verdict.WARNING), ("production", False, Verdict.OK)],
)
def test_the_first_admins_secret_is_not_left(
    tmp_path: Path, environment: str, is_there: bool, verdict: Verdict
) -> None:
    if is_there:
        write(tmp_path / "var" / "admin.env", 0o600)

    assert the_one(secrets.first_admin(make_case(tmp_path, environment=environment))).verdict is verdict
