"""A suite that wants what is not installed says so before anything is measured."""

import pytest

from tests.load import outside_parts
from tests.load.outside_parts import WANTED, missing_parts
from tests.load.suites import SUITES


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(outside_parts, "find_binaries", lambda: None)


@pytest.mark.usefixtures("bare_machine")
def test_what_is_missing_is_named_with_its_package() -> None:
    edge, soak = missing_parts(["recommendations", "edge", "soak"])

    assert edge.startswith("The suite edge wants nginx, wrk (Debian: apt install nginx wrk)")
    assert soak.startswith("The suite soak wants nginx, postgres (Debian: apt install nginx postgresql)")


@pytest.mark.usefixtures("bare_machine")
def test_suites_that_bring_all_they_need_may_be_measured() -> None:
    assert missing_parts(["recommendations", "watching"]) == []


def test_parts_are_wanted_by_suites_that_exist() -> None:
    assert set(WANTED) <= set(SUITES)
