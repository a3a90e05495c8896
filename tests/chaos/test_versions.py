"""The report says which versions were broken, of whatever is on the machine."""

from importlib.metadata import version
from pathlib import Path

import pytest

from tests.chaos.versions import versions


def test_each_server_that_is_here_says_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, said in {"nginx": "nginx version: nginx/1.2.3", "redis-server": "Redis server v=7.8.9 sha=0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {said} >&2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}", prepend=":")

    assert versions().startswith(f"Galley {version('galley')}, nginx 1.2.3, Redis 7.8.9")


def test_what_is_not_here_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}")
    monkeypatch.setattr("tests.chaos.versions.find_binaries", lambda: None)

    assert versions() == f"Galley {version('galley')}"
