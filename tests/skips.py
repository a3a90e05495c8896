"""Fails a run of CI in which a test was skipped: every part is installed there, so a skip hides a missing one.

Only tests of the real data may be skipped, and only where GALLEY_DATA names none; and those that need a disk of a few
kilobytes, where containers may mount none. Hooks of tests/conftest.py; also a
plugin by itself: `pytest -p tests.skips`.
"""

import os
from collections.abc import Iterable, Mapping

import pytest

DATA_VARIABLE = "GALLEY_DATA"
NO_MOUNT = "no file system can be mounted here"


def unexpected(reports: Iterable[pytest.TestReport], environment: Mapping[str, str]) -> list[str]:
    """Name the skips that this environment does not excuse, with their reasons; none outside of CI."""
    if not environment.get("CI"):
        return []

    skips = [f"{report.nodeid}: {_reason(report)}" for report in reports if NO_MOUNT not in _reason(report)]
    return [skip for skip in skips if environment.get(DATA_VARIABLE) or DATA_VARIABLE not in skip]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a good end into a bad one."""
    if session.exitstatus == pytest.ExitCode.OK and _unexpected_of(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why."""
    skips = _unexpected_of(terminalreporter.config)
    if skips:
        terminalreporter.section("tests were skipped, which CI takes for failures", red=True, bold=True)
        terminalreporter.write_line("\n".join(skips))


def _unexpected_of(config: pytest.Config) -> list[str]:
    # The processes of pytest-xdist have no terminal: what they skip is counted by the one that has.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [] if reporter is None else unexpected(reporter.stats.get("skipped", []), os.environ)


def _reason(report: pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
