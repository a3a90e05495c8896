"""A worker of jobs, with models and a database of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.job_runs import JobRuns, job_runs


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[JobRuns]:
    """A worker of jobs."""
    with job_runs(tmp_path) as runs:
        yield runs
