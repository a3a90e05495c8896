"""Services start once and close whole."""

import os
from dataclasses import dataclass, field

from app.infra.job_files import STAGING
from app.web.extensions import services, services_of
from tests.factories.web import WebWorker


@dataclass
class FakeListener:
    """Remembers what it was told, in a list that listeners share."""

    name: str
    told: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.told.append(f"start {self.name}")

    def stop(self) -> None:
        self.told.append(f"stop {self.name}")


def test_first_request_starts_listeners_once(worker: WebWorker) -> None:
    told: list[str] = []
    worker.services.listeners = (FakeListener("a", told), FakeListener("b", told))

    worker.app.test_client().get("/health/live")
    worker.app.test_client().get("/health/live")
    worker.services.close()

    assert told == ["start a", "start b", "stop b", "stop a"]
    assert worker.inference.is_closed


def test_listeners_that_never_started_are_not_stopped(worker: WebWorker) -> None:
    listener = FakeListener("a")
    worker.services.listeners = (listener,)

    worker.services.close()

    assert listener.told == []


def test_start_sweeps_uploads_that_an_earlier_process_left(worker: WebWorker) -> None:
    left = worker.services.settings.var_dir / "jobs" / STAGING / "half"
    left.mkdir(parents=True)
    os.utime(left, (1000.0, 1000.0))

    worker.services.start()
    worker.services.close()

    assert not left.exists()


def test_views_and_servers_reach_the_same_services(worker: WebWorker) -> None:
    with worker.app.app_context():
        assert services() is services_of(worker.app) is worker.services
