"""A process has one engine, made when it is first needed."""

from pathlib import Path
from typing import Any

from tests.factories.job_runs import job_runs
from workers.tasks import batch
from workers.tasks.compute import engine_of

# Celery has no types: a task is a function there.
tasks: Any = batch


def test_all_tasks_of_a_process_share_an_engine(tmp_path: Path) -> None:
    with job_runs(tmp_path) as runs:
        tasks.plan.app.parts = runs.parts
        assert not hasattr(tasks.plan.app, "engine")
        engine = engine_of(tasks.plan)
        try:
            assert engine_of(tasks.run_chunk) is engine
        finally:
            del tasks.plan.app.engine
