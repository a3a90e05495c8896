"""deploy/env.example has every setting, and Galley reads it as it stands and with every line in force."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.settings import Settings, read_settings
from tests.factories.commands import ROOT
from tests.factories.settings import TEST_SECRET

LINE = re.compile(r"^(#?)([A-Z][A-Z_]*)=(.*)$", re.MULTILINE)
TEXT = (ROOT / "deploy" / "env.example").read_text()
# Derived from others.
NOT_VARIABLES = {"RUN_DIR"}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, str]:
    """All lines in force, with files of the test's own behind those that name secrets."""
    secrets = {"JWT_SECRET_FILE": TEST_SECRET, "DATABASE_URL_FILE": f"sqlite:///{tmp_path}/galley.db"}
    for name, content in secrets.items():
        (tmp_path / name).write_text(content)
    return {name: value for _, name, value in LINE.findall(TEXT)} | {name: str(tmp_path / name) for name in secrets}


def read(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> Settings:
    for name in {field.name.upper() for field in fields(Settings)} | {"JWT_SECRET_FILE", "DATABASE_URL_FILE"}:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_it_has_every_setting_once() -> None:
    settings = {field.name.upper() for field in fields(Settings)} - NOT_VARIABLES
    written = [name for _, name, _ in LINE.findall(TEXT)]
    names = [name if name in settings else name.removesuffix("_FILE") for name in written]

    assert sorted(names) == sorted(settings)


def test_every_line_is_a_remark_or_a_setting() -> None:
    others = [line for line in TEXT.splitlines() if not (line.startswith("# ") or LINE.fullmatch(line) or not line)]

    assert others == []


def test_what_is_commented_out_is_the_default(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    in_force = {name for remark, name, _ in LINE.findall(TEXT) if not remark}

    everything = read(monkeypatch, values)
    as_it_stands = read(monkeypatch, {name: values[name] for name in in_force})

    assert everything == as_it_stands
    assert everything.environment == "production"
