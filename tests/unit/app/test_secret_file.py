"""Secrets from files: where they are read, what is wrong with them, and when Galley may make a key up."""

from pathlib import Path

import pytest
from environs import Env

from app.secret_file import secret_setting, secret_to_make, signing_key
from app.setting_rules import problems_of, redis_url


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("JWT_SECRET", "JWT_SECRET_FILE", "REDIS_URL", "REDIS_URL_FILE", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def problems() -> dict[str, list[str]]:
    """Return what is wrong with `REDIS_URL` or its file."""
    env = Env(eager=False)
    secret_setting(env, "REDIS_URL", rule=redis_url)
    return problems_of(env)


def test_a_file_is_read_without_its_line_end(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://:hunter2@host\n")
    environment.setenv("REDIS_URL_FILE", str(tmp_path / "url"))

    assert secret_setting(Env(eager=False), "REDIS_URL", "redis://default", rule=redis_url) == "redis://:hunter2@host"
    assert problems() == {}


def test_without_a_file_the_variable_counts_and_then_the_default(environment: pytest.MonkeyPatch) -> None:
    assert secret_setting(Env(), "REDIS_URL", "redis://default") == "redis://default"
    environment.setenv("REDIS_URL_FILE", "")
    environment.setenv("REDIS_URL", "redis://given")

    assert secret_setting(Env(), "REDIS_URL", "redis://default") == "redis://given"


def test_a_variable_and_a_file_contradict_each_other(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://host")
    environment.setenv("REDIS_URL_FILE", str(tmp_path / "url"))
    environment.setenv("REDIS_URL", "redis://given")

    assert problems() == {"REDIS_URL_FILE": ["Set it or REDIS_URL, not both."]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "is empty"),
        (b"\xff\xfe", "cannot be read (no text)"),
        (b"http://host", "redis://HOST"),
    ],
)
def test_a_file_that_holds_no_such_setting_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "url"
    if content is not None:
        path.write_bytes(content)
    environment.setenv("REDIS_URL_FILE", str(path))

    [(name, [sentence])] = problems().items()

    assert name == "REDIS_URL_FILE"
    assert problem in sentence


def test_a_key_that_was_made_up_is_for_development_only(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "jwt_secret").write_text("made up\n")

    assert signing_key(Env(), tmp_path) == "made up"
    environment.setenv("ENVIRONMENT", "production")
    assert signing_key(Env(), tmp_path) == ""


def test_secret_to_make(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing key may be made up in development, never in production."""
    path = tmp_path / "secrets" / "jwt_secret"

    assert secret_to_make(tmp_path) == path
    environment.setenv("ENVIRONMENT", "production")
    assert secret_to_make(tmp_path) is None


@pytest.mark.parametrize("name", ["JWT_SECRET", "JWT_SECRET_FILE"])
def test_a_secret_that_is_given_is_not_made(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    environment.setenv(name, "one that was given")

    assert secret_to_make(tmp_path) is None
