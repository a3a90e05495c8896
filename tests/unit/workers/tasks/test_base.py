"""How a task ends is counted, and an outage is tried again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from celery import Celery
from prometheus_client import REGISTRY

from app.errors import DatabaseUnavailable
from app.infra.log_context import follow_request
from tests.factories.settings import make_settings
from workers.bootstrap import assemble
from workers.tasks.base import GalleyTask


# NOTE: `shared=False`: a task is made for every later app of the process otherwise, in other tests too.
@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    app = Celery("test", set_as_current=False, task_cls=GalleyTask)
    app.parts = assemble(make_settings(tmp_path))
    app.conf.broker_url = "memory://"
    yield app
    app.parts.close()
    app.close()


def count(task: str, result: str) -> float:
    return REGISTRY.get_sample_value("galley_tasks_total", {"task": task, "result": result}) or 0.0


def test_task_finds_its_parts(app: Celery) -> None:
    @app.task(bind=True, shared=False, name="test.parts")
    def port(self: GalleyTask) -> int:
        return self.parts.settings.port

    assert port.apply().get() == 8000


def test_good_end_is_counted_and_measured(app: Celery) -> None:
    @app.task(shared=False, name="test.good")
    def good() -> None:
        return None

    good.apply()

    assert count("test.good", "succeeded") == 1
    assert REGISTRY.get_sample_value("galley_task_seconds_count", {"task": "test.good"}) == 1


def test_mistake_is_counted_and_not_tried_again(app: Celery) -> None:
    runs = []

    @app.task(shared=False, name="test.mistake")
    def mistake() -> None:
        runs.append(1)
        raise ValueError("a mistake")

    assert mistake.apply().failed()
    assert (len(runs), count("test.mistake", "failed")) == (1, 1)


def test_outage_is_tried_again(app: Celery) -> None:
    runs = []

    @app.task(shared=False, name="test.outage")
    def outage() -> str:
        runs.append(1)
        if len(runs) < 3:
            raise DatabaseUnavailable("gone")
        return "done"

    assert outage.apply().get() == "done"
    assert count("test.outage", "retried") == 2


@pytest.mark.parametrize("ends_well", [True, False])
def test_last_line_of_a_task_names_its_request(app: Celery, ends_well: bool) -> None:
    @app.task(shared=False, name="test.follows")
    def follows(request_id: str) -> None:
        if request_id:
            follow_request(request_id, "")
        if not ends_well:
            raise ValueError("a mistake")

    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        follows.apply(["r1"])
        follows.apply([""])

    assert [line.get("request_id") for line in logs if line.get("task") == "test.follows"] == ["r1", None]
