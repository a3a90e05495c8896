"""What a report says of the machine, and what not."""

import platform

import pytest

from tests.load.machine import machine_facts


@pytest.mark.parametrize("release", ["6.8.0-45-generic", "6.8.0"])
def test_the_build_of_the_kernel_is_not_told(monkeypatch: pytest.MonkeyPatch, release: str) -> None:
    monkeypatch.setattr(platform, "release", lambda: release)

    assert machine_facts()["System"] == f"{platform.system()} 6.8.0"


def test_no_fact_is_empty() -> None:
    assert all(machine_facts().values())
