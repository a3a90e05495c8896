"""Which tests share a process of pytest-xdist: those of one file, and those of one server, which is slow to start.

NOTE: not marks of `xdist_group`: xdist 3.8 writes the group into an item's id, which pytest 9.2 does not send back.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SUITES_OF_ONE_SERVER = ("tests/e2e/", "tests/contract/oip/")


class ServerScheduling(LoadScopeScheduling):
    """Hands out whole files, and whole suites where one server is behind them all."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of what runs in one process."""
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return the suite of a test that shares a server, else its file."""
    for suite in SUITES_OF_ONE_SERVER:
        if nodeid.startswith(suite):
            return suite

    return nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ServerScheduling:
    """Put the scheduler in the place of xdist's own."""
    return ServerScheduling(config, log)
