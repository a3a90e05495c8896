"""Every format of inputs has a reader."""

import pytest

from app.scenarios.job_inputs import InputFormat
from tests.factories.job_runs import JobRuns
from workers.batch.readers import open_reader


@pytest.mark.parametrize("input_format", list(InputFormat))
def test_every_format_is_read(runs: JobRuns, input_format: InputFormat) -> None:
    job = runs.job(runs.post(b"", input_format=input_format))

    assert hasattr(open_reader(runs.parts.job_files, runs.parts.settings, job), "plan")
