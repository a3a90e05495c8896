"""Models marked heavy over /v2: the caller waits while a real Celery worker loads the version and answers."""

import base64
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.errors import RunnerLost
from app.factory import create_app
from app.inference.client import InferAnswer
from app.inference.messages import Form
from app.services.clients import ClientDraft
from app.services.scopes import ALL_SCOPES
from app.web.extensions import Services, services_of
from model_store.model_ref import ModelRef
from tests.factories.celery_worker import CeleryWorker, running_worker
from tests.factories.database import make_database
from tests.factories.fraud_jobs import Ledger, told_by
from tests.factories.job_posts import JOBS, file_body
from tests.factories.job_stand import MEASURED
from tests.factories.models import ColourModel, SlowColourModel, colour_manifest, save_scripted
from tests.factories.pictures import colour_scores, plain_picture
from tests.factories.redis_server import RedisServer, running_redis
from tests.factories.scored_events import FRAUD, event_body
from tests.factories.scoring import RISK_FILE, scoring_manifest
from tests.factories.settings import make_settings
from tests.factories.tensors import Sent, make_body
from tests.factories.uploads import upload
from tests.factories.versions import accept, make_draft
from tests.factories.waiting import wait_until

LENGTH = "Inference-Header-Content-Length"
# A cold version is loaded within the call, on a machine that does other things besides.
PATIENCE_S = 30.0
IMAGES = "/api/v1/images/classifications"
# As slow as the manifest says it is, a chunk has so many rows; each takes some milliseconds.
CHUNK_ROWS, CHUNKS, CHUNK_WORK = 20, 20, 40
# For as long as a test that ends it.
ENDLESS = 10**6
# Far less than the caller's time.
TOLD_WITHIN_S = 15.0


class Caller:
    """A client of a web app whose heavy models a real worker runs."""

    def __init__(self, client: FlaskClient, services: Services, folder: Path) -> None:
        self.client = client
        self.services = services
        self._folder = folder
        issued = services.clients.create(ClientDraft(client_id="caller", scopes=ALL_SCOPES), by="test")
        token = services.tokens.issue("caller", issued.secret).access_token
        self.headers = {"Authorization": f"Bearer {token}"}

    def publish(self, name: str, model: Any = None, **changes: Any) -> ModelRef:
        """Publish a heavy version; `changes` are those of its manifest."""
        artifact = save_scripted(model or ColourModel(), self._folder / f"{name}.pt").read_bytes()
        manifest = colour_manifest(execution="heavy", **changes)
        draft = make_draft(self._folder, name=name, artifact=artifact, manifest=manifest)
        ref = self.services.releases.release(draft, prove=accept, by="test")
        self.services.routing.refresh()
        return ref

    def ask(self, ref: ModelRef, body: bytes) -> InferAnswer:
        """Ask a version, past the web app."""
        digest = self.services.releases.find(ref.name, str(ref.version)).digest
        return self.services.heavy.infer(
            ref, [body], digest=digest, deadline=time.monotonic() + PATIENCE_S, form=Form.TENSORS
        )

    def get(self, path: str) -> TestResponse:
        """Return the answer of a path."""
        return self.client.get(path, headers=self.headers)

    def job(self, answer: TestResponse) -> dict[str, Any]:
        """Return the job that a request was answered with, as it is now."""
        assert (answer.status_code, answer.headers["Location"]) == (202, f"{JOBS}/{answer.json['id']}"), answer.json
        return dict(self.get(answer.headers["Location"]).json)

    def score(self, name: str, event_id: str, amount: float) -> dict[str, float]:
        """Have a heavy model score a payment, and return the reasons that its job tells when it has ended."""
        body = event_body(event_id=event_id, amount=amount)
        posted = self.client.post(f"{FRAUD}?model={name}", json=orjson.loads(body), headers=self.headers)
        wait_until(lambda: self.job(posted)["finished_at"], timeout_s=PATIENCE_S)
        (line,) = self.get(f"{posted.headers['Location']}/results").data.splitlines()
        return told_by([orjson.loads(line)])[1]

    def infer(self, path: str, images: np.ndarray[Any, Any], *, binary: bool = True, **headers: str) -> TestResponse:
        """Ask for the scores of images."""
        body = make_body([Sent("image", "FP32", list(images.shape), images, is_binary=binary)])
        extra = {} if body.json_bytes is None else {LENGTH: str(body.json_bytes)}
        given = {
            **self.headers,
            "Request-Timeout": str(PATIENCE_S),
            **extra,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.client.post(f"/v2/models/{path}/infer", data=body.data, headers=given)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let the worker replace a process of its pool: it is the module's, and ends with it."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="galley-heavy-") as name:
        make_database(Path(name)).close()
        yield Path(name)


@pytest.fixture(scope="module")
def worker(server: RedisServer, folder: Path) -> Iterator[CeleryWorker]:
    counts = make_settings(folder).metrics_dir / "celery"
    counts.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(counts))
        with running_worker(server, folder, JOB_DISK_RESERVE="0") as worker:
            yield worker


@pytest.fixture
def caller(worker: CeleryWorker, folder: Path) -> Iterator[Caller]:
    app = create_app(replace(worker.settings, job_disk_reserve=0))
    services = services_of(app)
    yield Caller(app.test_client(), services, folder)
    services.clients.delete("caller", by="test")
    services.close()


def pictures(rows: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng().random((rows, 3, 8, 8), dtype=np.float32)


def scores(response: TestResponse) -> np.ndarray[Any, Any]:
    """Return the scores of an answer in JSON."""
    assert response.status_code == 200, response.json
    (output,) = response.json["outputs"]
    return np.array(output["data"], np.float32).reshape(output["shape"])


def test_caller_waits_for_the_worker_that_answers(caller: Caller) -> None:
    caller.publish("colours")
    images = [pictures(rows) for rows in (1, 3, 20)]
    paths = ["colours", "colours/versions/1", "colours/versions/default"]

    answers = [
        caller.infer(path, asked, binary=asked is not images[0]) for path, asked in zip(paths, images, strict=True)
    ]

    for asked, answer in zip(images, answers, strict=True):
        np.testing.assert_allclose(scores(answer), asked.mean(axis=(2, 3)) * 10.0, rtol=1e-4)
        assert (answer.headers["X-Model-Name"], answer.headers["X-Model-Version"]) == ("colours", "1")
        queue, compute, total = (part.partition("dur=")[2] for part in answer.headers["Server-Timing"].split(", "))
        assert 0 < float(compute) < float(total)
        assert 0 <= float(queue) < float(total)
    (stats,) = caller.get("/v2/models/colours/stats").json["model_stats"]
    assert stats["inference_stats"]["success"]["count"] == 3
    assert stats["inference_count"] == 24
    assert caller.get("/v2/models/colours/ready").json == {"name": "colours", "ready": True}
    assert "colours" not in str(caller.get("/health/ready").json)


def test_what_is_wrong_with_the_request_is_told_as_a_runner_does(caller: Caller, worker: CeleryWorker) -> None:
    caller.publish("strict")

    refused = caller.infer("strict", np.zeros((1, 4, 8, 8), np.float32), X_Request_ID="the-wrong-shape")

    assert (refused.status_code, refused.json["code"]) == (400, "invalid_tensor")
    assert "the-wrong-shape" in worker.log()


def test_caller_whose_time_is_up_is_told_and_its_work_is_dropped(caller: Caller, worker: CeleryWorker) -> None:
    caller.publish("late")
    with worker.stopped():
        answer = caller.infer("late", pictures(1), Request_Timeout="0.5")

    assert (answer.status_code, answer.json["code"]) == (504, "deadline_exceeded")
    wait_until(lambda: "nobody waits" in worker.log())
    assert "late/1 is loaded" not in worker.log()


def test_call_whose_process_is_killed_is_lost_at_once(caller: Caller, worker: CeleryWorker) -> None:
    endless = caller.publish("endless", SlowColourModel(ENDLESS))
    caller.publish("next")
    body = make_body([Sent("image", "FP32", [1, 3, 8, 8], pictures(1))])
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(caller.ask, endless, body.data)
        wait_until(lambda: f"{endless} is loaded" in worker.log(), timeout_s=PATIENCE_S)

        killed_at = time.monotonic()
        max(worker.family(), key=lambda process: process.cpu_times().user).kill()
        with pytest.raises(RunnerLost):
            lost.result()

    assert time.monotonic() - killed_at < TOLD_WITHIN_S
    assert caller.infer("next", pictures(1)).status_code == 200


@pytest.mark.parametrize("colours", [[(200, 30, 90)], [(9, 90, 200), (250, 250, 0), (0, 80, 80)]], ids=["one", "three"])
def test_request_of_a_scenario_is_a_job_that_the_worker_ends(
    caller: Caller, colours: list[tuple[int, int, int]]
) -> None:
    caller.publish(f"pictured-{len(colours)}")
    body = upload(*map(plain_picture, colours))
    posted = caller.client.post(f"{IMAGES}?model=pictured-{len(colours)}", headers=caller.headers, **body)
    wait_until(lambda: caller.job(posted)["finished_at"], timeout_s=PATIENCE_S)

    job = caller.job(posted)
    assert (job["state"], job["progress"]["done"], job["progress"]["failed"]) == ("succeeded", len(colours), 0)
    lines = [orjson.loads(line) for line in caller.get(f"{posted.headers['Location']}/results").data.splitlines()]
    scores = [{label["label"]: label["score"] for label in line["results"][0]["labels"]} for line in lines]
    assert scores == [pytest.approx(colour_scores(colour), abs=1e-4) for colour in colours]


def test_payments_to_a_heavy_model_are_jobs_that_move_their_account_once(caller: Caller, folder: Path) -> None:
    risk = folder / "risk.json"
    risk.write_bytes(RISK_FILE)
    manifest = scoring_manifest(scoring={"reasons": ["before", "last"]}, files={}, execution="heavy")
    artifact = save_scripted(Ledger(), folder / "ledger.pt").read_bytes()
    draft = make_draft(folder, name="ledger", artifact=artifact, manifest=manifest, assets={risk.name: risk})
    caller.services.releases.release(draft, prove=accept, by="test")
    caller.services.routing.refresh()

    told = [caller.score("ledger", event_id, amount) for event_id, amount in (("e-1", 8.5), ("e-2", 3.0), ("e-2", 7.0))]

    assert told == [{}, {"before": 1.0, "last": 8.5}, {"before": 1.0, "last": 8.5}]


@pytest.mark.long
def test_call_is_answered_before_the_chunks_that_wait(caller: Caller) -> None:
    """The one process is busy with chunks of twenty rows; the call takes its turn after the one that runs."""
    caller.publish("busy", SlowColourModel(CHUNK_WORK), measured=MEASURED)
    caller.publish("prompt")
    rows = b"".join(
        b'{"image":"%b"}\n' % base64.b64encode(plain_picture((n, 0, 0))) for n in range(CHUNKS * CHUNK_ROWS)
    )
    posted = caller.client.post(JOBS, headers=caller.headers, **file_body(rows, kind="images", model=b"busy"))
    wait_until(lambda: caller.job(posted)["progress"]["done"], timeout_s=PATIENCE_S)

    before = caller.job(posted)["progress"]["done"]
    assert caller.infer("prompt", pictures(1)).status_code == 200
    job = caller.job(posted)
    assert job["state"] == "running"
    # The one that ran, and those that were begun while the answer was on its way; in the order of arrival it were all.
    assert job["progress"]["done"] - before <= CHUNKS // 2 * CHUNK_ROWS
    assert caller.client.delete(posted.headers["Location"], headers=caller.headers).status_code == 204


@pytest.mark.long
def test_call_that_finds_no_process_free_in_time_is_told_at_its_deadline(caller: Caller, worker: CeleryWorker) -> None:
    caller.publish("patient")
    (busy,) = worker.pool()
    busy.suspend()
    try:
        started = time.monotonic()
        answer = caller.infer("patient", pictures(1), Request_Timeout="1")
        took_s = time.monotonic() - started
    finally:
        busy.resume()

    assert (answer.status_code, answer.json["code"]) == (504, "deadline_exceeded")
    assert 1.0 <= took_s < TOLD_WITHIN_S
    assert caller.infer("patient", pictures(1)).status_code == 200
