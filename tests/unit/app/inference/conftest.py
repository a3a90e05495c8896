"""Runners and a directory for the tests of the way to them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.runner import FakeRunner


@pytest.fixture
def start_runner(tmp_path: Path) -> Iterator[Callable[[str], FakeRunner]]:
    """Start fake runners, each at an address of its name."""
    runners: list[FakeRunner] = []

    def start(name: str) -> FakeRunner:
        runner = FakeRunner(f"ipc://{tmp_path}/{name}.sock")
        runners.append(runner)
        return runner

    yield start
    for runner in runners:
        runner.close()
