"""Settings in a file: behind the environment, and read anew each time."""

from pathlib import Path

import pytest

from app.secret_file import secret_to_make
from app.setting_rules import SettingsError
from app.settings import read_settings, read_var_dir


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WEB_WORKERS", "JWT_SECRET", "VAR_DIR", "PORT"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "galley.env"
    path.write_text(f"# Of this machine\nWEB_WORKERS=3\nJWT_SECRET='{'s' * 40}'\nVAR_DIR={tmp_path}\nPORT=9000\n")
    monkeypatch.setenv("SETTINGS_FILE", str(path))
    return path


def test_file_says_what_the_environment_does_not(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9001")

    settings = read_settings()

    assert (settings.web_workers, settings.jwt_secret, settings.port) == (3, "s" * 40, 9001)
    assert (settings.settings_file, read_var_dir()) == (str(file), file.parent)
    assert secret_to_make(file.parent) is None


def test_file_is_read_anew(file: Path) -> None:
    read_settings()
    file.write_text(file.read_text().replace("WEB_WORKERS=3", "WEB_WORKERS=4").replace("PORT=9000", ""))

    assert (read_settings().web_workers, read_settings().port) == (4, 8000)


def test_wrong_line_is_named_like_a_wrong_variable(file: Path) -> None:
    file.write_text(f"{file.read_text()}WEB_WORKERS=many\n")

    with pytest.raises(SettingsError, match="WEB_WORKERS"):
        read_settings()


def test_missing_file_is_named(file: Path) -> None:
    file.unlink()

    with pytest.raises(SettingsError, match=r"SETTINGS_FILE: the file .* cannot be read \(No such file"):
        read_settings()


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_a_shell_would_read_otherwise_stands_for_itself(file: Path, quote: str) -> None:
    secret = "k#${PATH}${NONE:-x}$HOME" + "s" * 32
    file.write_text(f"{file.read_text()}JWT_SECRET={quote}{secret}{quote} # the key\n")

    assert read_settings().jwt_secret == secret


def test_quotes_keep_what_follows_a_space(file: Path) -> None:
    file.write_text(f"{file.read_text()}JWT_SECRET='{'s' * 32} # and this'\n")

    assert read_settings().jwt_secret == f"{'s' * 32} # and this"
