"""A version published over HTTP: the upload, the job, a real Celery worker, the version; and what may go wrong."""

import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from flask.testing import FlaskClient

from app.db.repositories.jobs import JobRepository
from app.factory import create_app
from app.infra.task_names import TaskName
from app.services.clients import ClientDraft
from app.services.scopes import ALL_SCOPES
from app.web.extensions import Services, services_of
from model_store.manifest import encode_manifest
from model_store.model_ref import ModelRef
from tests.factories.celery_worker import CeleryWorker, running_worker
from tests.factories.database import make_database
from tests.factories.models import ColourModel, colour_manifest, colour_samples, save_scripted
from tests.factories.ranking import make_world, ranking_draft
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.uploads import form_body
from tests.factories.waiting import wait_until

VERIFIED_WITHIN_S = 120.0
PATH_OF_RANKINGS = "/api/v1/models/rankings/versions"


class Publisher:
    """A client of a web app whose tasks a real worker runs."""

    def __init__(self, client: FlaskClient, services: Services, folder: Path) -> None:
        self.client = client
        self.services = services
        issued = services.clients.create(ClientDraft(client_id="publisher", scopes=ALL_SCOPES), by="test")
        token = services.tokens.issue("publisher", issued.secret).access_token
        self.headers = {"Authorization": f"Bearer {token}"}
        self.artifact = save_scripted(ColourModel(), folder / "colours.pt").read_bytes()

    def publish(self, name: str, *, samples: bytes | None = None, **changes: Any) -> dict[str, Any]:
        """Upload a version; return its job."""
        response = self.post(name, samples=samples, **changes)
        assert response.status_code == 202, response.json
        job: dict[str, Any] = self.get(response.headers["Location"])
        return job

    def post(self, name: str, *, samples: bytes | None = None, **changes: Any) -> Any:
        """Upload a version; return the answer."""
        manifest = orjson.dumps({**orjson.loads(encode_manifest(colour_manifest())), **changes})
        parts = [
            ("artifact", ("model.pt", self.artifact)),
            ("manifest", (None, manifest)),
            ("samples", ("samples.json", samples or colour_samples())),
        ]
        return self.client.post(f"/api/v1/models/{name}/versions", headers=self.headers, **form_body(parts))

    def get(self, path: str) -> Any:
        """Return the JSON of a path."""
        return self.client.get(path, headers=self.headers).json

    def wait_for(self, job: dict[str, Any], *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states; return its document."""
        jobs = self.services.jobs
        # Not over HTTP: so often, its limit would be met.
        wait_until(lambda: jobs.find(job["id"]).state in states, timeout_s=VERIFIED_WITHIN_S)
        return self.get(job["links"]["self"])


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="galley-publish-") as name:
        make_database(Path(name)).close()
        yield Path(name)


@pytest.fixture
def worker(server: RedisServer, folder: Path) -> Iterator[CeleryWorker]:
    with running_worker(server, folder) as worker:
        yield worker


@pytest.fixture
def publisher(worker: CeleryWorker, folder: Path) -> Iterator[Publisher]:
    app = create_app(worker.settings)
    services = services_of(app)
    yield Publisher(app.test_client(), services, folder)
    services.clients.delete("publisher", by="test")
    services.close()


@pytest.mark.long
def test_a_ranking_model_is_published_with_its_assets(publisher: Publisher, tmp_path: Path) -> None:
    draft = ranking_draft(make_world(), tmp_path)
    parts = [
        ("artifact", ("model.pt", draft.artifact.read_bytes())),
        ("manifest", (None, encode_manifest(draft.manifest))),
        *(("assets", (name, path.read_bytes())) for name, path in draft.assets.items()),
    ]
    whole, half = (
        publisher.client.post(PATH_OF_RANKINGS, headers=publisher.headers, **form_body(sent))
        for sent in (parts, parts[:-1])
    )

    done, failed = (
        publisher.wait_for(publisher.get(answer.headers["Location"]), "succeeded", "failed") for answer in (whole, half)
    )

    assert (done["state"], done.get("error")) == ("succeeded", None)
    assert (failed["state"], failed["error"]["code"]) == ("failed", "invalid_manifest")
    assert "'titles.json', which the version does not have" in failed["error"]["detail"]


def test_version_is_published_over_http(publisher: Publisher) -> None:
    good = publisher.publish("colours")
    bad = publisher.publish("colours", samples=colour_samples().replace(b'"data":[', b'"data":[9.5,', 1))
    first, second = publisher.publish("raced", version=5), publisher.post("raced", version=5)
    assert (second.status_code, second.json["code"]) == (409, "version_exists")

    done = publisher.wait_for(good, "succeeded", "failed")
    assert (done["state"], done["version"], done.get("error")) == ("succeeded", 1, None)
    publisher.services.routing.refresh()
    version = publisher.get(done["links"]["version"])
    assert (version["version"], version["created_by"], version["aliases"]) == (1, "publisher", ["default"])
    assert version["manifest"]["job"] == good["id"]

    refused = publisher.wait_for(bad, "succeeded", "failed")
    assert (refused["state"], refused["version"]) == ("failed", None)
    assert refused["error"]["code"] in {"signature_mismatch", "sample_mismatch"}

    assert publisher.wait_for(first, "succeeded", "failed")["version"] == 5
    wait_until(lambda: list((publisher.services.settings.var_dir / "quarantine").iterdir()) == [])


@pytest.mark.long
def test_killed_worker_costs_time_and_nothing_else(
    worker: CeleryWorker, publisher: Publisher, server: RedisServer, folder: Path
) -> None:
    job = publisher.publish("survivor")
    publisher.wait_for(job, "running")
    family = worker.family()
    worker.process.send_signal(signal.SIGKILL)
    psutil.wait_procs([worker.process, *family], timeout=30)
    held = publisher.services.jobs.find(job["id"])
    assert held.state == "running"

    # What the lease would do within a minute.
    with publisher.services.database.write() as session:
        JobRepository(session).change_held(held, lease_until=datetime.now(UTC) - timedelta(seconds=1))
    with running_worker(server, folder) as successor:
        successor.send(TaskName.RESEND_JOBS)
        done = publisher.wait_for(job, "succeeded", "failed")

    assert (done["state"], done["version"]) == ("succeeded", 1)
    assert publisher.services.jobs.find(job["id"]).attempt == 2
    assert publisher.services.releases.find("survivor").ref == ModelRef("survivor", 1)
