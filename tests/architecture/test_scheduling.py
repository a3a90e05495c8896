"""Tests that share a server run in one process, the others file by file."""

import pytest

from tests.architecture.source import ROOT
from tests.scheduling import SUITES_OF_ONE_SERVER, scope_of


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/e2e/test_faults.py::test_killed_runner", "tests/e2e/"),
        ("tests/contract/oip/test_fuzz.py::test_bytes[a::b]", "tests/contract/oip/"),
        ("tests/unit/app/test_errors.py::test_tree", "tests/unit/app/test_errors.py"),
    ],
)
def test_what_runs_in_one_process(nodeid: str, scope: str) -> None:
    assert scope_of(nodeid) == scope


@pytest.mark.parametrize("suite", SUITES_OF_ONE_SERVER)
def test_suites_of_one_server_exist(suite: str) -> None:
    assert (ROOT / suite / "conftest.py").is_file()
