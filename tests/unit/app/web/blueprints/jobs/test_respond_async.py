"""Single inferences that become jobs: by the caller's preference, or because the model is heavy."""

import io
import tarfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import TooManyJobs
from app.infra.task_names import TaskName
from app.services.batch_jobs import BatchJobs
from app.services.route_draft import RouteDraft, Variant
from app.web.blueprints.jobs.respond_async import prefers_async
from model_store.model_ref import ModelRef
from tests.factories.job_posts import JOBS, input_of, job_of, kept_files
from tests.factories.ranked_rows import RECOMMENDATIONS, publish_ranking_model
from tests.factories.uploads import upload
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

IMAGES = "/api/v1/images/classifications"
BODY = b'{ "user_id": 7,\n "k": 2 }'
RANK: dict[str, Any] = {"data": BODY, "content_type": "application/json"}


@pytest.fixture
def infer(worker: WebWorker) -> dict[str, str]:
    """The headers of a client that may infer, and nothing else, before workers with models for both routes."""
    worker.publish()
    publish_ranking_model(worker)
    return worker.bearer(scopes=frozenset({"infer"}))


def preferring(headers: dict[str, str], preference: str = "respond-async") -> dict[str, str]:
    return {**headers, "Prefer": preference}


@pytest.mark.parametrize(
    ("header", "is_preferred"),
    [
        (None, False), ("", False), ("respond-async", True), ("Respond-Async", True), ("wait=5, respond-async", True),
        ("respond-async; foo=bar,wait=5", True), ("return=minimal", False), ("respond-asynchronously", False),
        ('foo="respond-async"', False),
    ],
)  # fmt: skip
def test_preference_is_read(header: str | None, is_preferred: bool) -> None:
    assert prefers_async({} if header is None else {"HTTP_PREFER": header}) is is_preferred


def test_request_becomes_a_job_of_its_body(worker: WebWorker, client: FlaskClient, infer: dict[str, str]) -> None:
    response = client.post(RECOMMENDATIONS, headers=preferring(infer), **RANK)

    job = job_of(worker, response)
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "respond-async")
    assert response.headers["Location"] == f"{JOBS}/{job.id}"
    assert response.json["progress"]["total"] == 1
    assert (job.kind, job.model_name, job.version) == ("recommendations", "recommender", 1)
    assert (job.queue, job.input_format, job.chunk_count) == ("heavy", "raw", 1)
    assert input_of(worker, job.id) == BODY
    assert worker.sent == [(TaskName.RUN_HEAVY_CHUNK,)]
    assert worker.inference.calls == []
    assert client.get(response.headers["Location"], headers=infer).json == response.json


def test_one_image_is_a_row_and_so_is_each_of_several(
    worker: WebWorker, client: FlaskClient, infer: dict[str, str]
) -> None:
    address, headers = f"{IMAGES}?top_k=2&version=default", preferring(infer)
    answers = [
        client.post(address, headers=headers, data=b"one", content_type="image/png"),
        client.post(address, headers=headers, **upload(b"one")),
        client.post(address, headers=headers, **upload(b"one", b"two", b"three")),
    ]

    jobs = [job_of(worker, answer) for answer in answers]
    assert {(job.kind, job.model_name, job.version, job.queue) for job in jobs} == {("images", "digits", 1, "heavy")}
    assert [job.parameters for job in jobs] == [{"top_k": 2}] * 3
    assert [(job.input_format, job.total, job.max_error_share) for job in jobs] == [
        ("raw", 1, 0.1), ("raw", 1, 0.1), ("tar", None, 1.0),
    ]  # fmt: skip
    assert [input_of(worker, job.id) for job in jobs[:2]] == [b"one", b"one"]
    with tarfile.open(fileobj=io.BytesIO(input_of(worker, jobs[2].id))) as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        assert {name: file.read() for name, file in files.items() if file} == {"1": b"one", "2": b"two", "3": b"three"}
    assert worker.sent[2] == (TaskName.PLAN_JOB, jobs[2].id)


def test_heavy_models_answer_with_a_job_always(worker: WebWorker, client: FlaskClient, infer: dict[str, str]) -> None:
    heavy = make_manifest(task="ranking", execution="heavy")
    worker.publish(name="heavy", manifest=heavy)
    worker.publish(name="huge", manifest=make_manifest(execution="heavy"))

    answers = [
        client.post(f"{RECOMMENDATIONS}?model=heavy", headers=infer, **RANK),
        client.post(f"{IMAGES}?model=huge", headers=infer, data=b"one"),
        client.post(f"{IMAGES}?model=huge", headers=preferring(infer), data=b"one"),
    ]

    assert [answer.status_code for answer in answers] == [202] * 3
    assert ["Preference-Applied" in answer.headers for answer in answers] == [False, False, True]
    assert [job_of(worker, answer).model_name for answer in answers] == ["heavy", "huge", "huge"]


def test_routes_choose_for_whom_they_would_choose_now(
    worker: WebWorker, client: FlaskClient, infer: dict[str, str]
) -> None:
    publish_ranking_model(worker)
    variants = [Variant(name=f"v{version}", version=version, weight=1) for version in (1, 2)]
    worker.services.routes.put("recommender", RouteDraft(variants=variants), by="test")
    worker.services.routing.refresh()

    for user_id in range(8):
        body = {"data": b'{"user_id":%d}' % user_id, "content_type": "application/json"}
        now = client.post(RECOMMENDATIONS, headers=infer, **body)
        later = client.post(RECOMMENDATIONS, headers=preferring(infer), **body)
        assert later.json["version"] == now.json["model"]["version"]
        assert later.json["variant"] == later.headers["X-Variant"] == now.headers["X-Variant"]
        assert job_of(worker, later).route_revision == 1


REFUSALS: list[tuple[str, dict[str, Any], int, str]] = [
    (RECOMMENDATIONS, {**RANK, "data": b'{"user_id":"x"}'}, 422, "validation_failed"),
    (RECOMMENDATIONS, {**RANK, "content_type": "text/plain"}, 415, "unsupported_media_type"),
    (f"{RECOMMENDATIONS}?model=unheard-of", RANK, 404, "model_not_found"),
    (f"{RECOMMENDATIONS}?model=digits", RANK, 409, "wrong_task"),
    (f"{IMAGES}?top_k=0", {"data": b"one"}, 422, "validation_failed"),
    (IMAGES, {"data": b""}, 400, "empty_body"),
]


def test_what_is_refused_now_is_refused_as_a_job(worker: WebWorker, client: FlaskClient, infer: dict[str, str]) -> None:
    for address, body, status, code in REFUSALS:
        response = client.post(address, headers=preferring(infer), **body)
        assert (response.status_code, response.json["code"]) == (status, code), address

    assert (worker.sent, kept_files(worker)) == ([], [])


def test_keys_and_limits_are_those_of_jobs(worker: WebWorker, client: FlaskClient, infer: dict[str, str]) -> None:
    services = worker.services
    services.batch_jobs = BatchJobs(services.database, send=lambda *_task: None, most_open=1)
    keyed = {**preferring(infer), "Idempotency-Key": "k"}

    first, again = (client.post(RECOMMENDATIONS, headers=keyed, **RANK) for _ in range(2))
    other = client.post(RECOMMENDATIONS, headers=preferring(infer), **RANK)

    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert (other.status_code, other.json["code"]) == (429, TooManyJobs.code)
    assert client.post(RECOMMENDATIONS, headers=infer, **RANK).status_code == 200


def test_same_request_is_answered_when_its_version_is_unloaded(
    worker: WebWorker, client: FlaskClient, infer: dict[str, str]
) -> None:
    keyed = {**preferring(infer), "Idempotency-Key": "k"}
    first = client.post(RECOMMENDATIONS, headers=keyed, **RANK)
    worker.services.residency.unload(ModelRef("recommender", 1), by="test")
    worker.services.routing.refresh()

    again = client.post(RECOMMENDATIONS, headers=keyed, **RANK)

    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert client.post(RECOMMENDATIONS, headers=preferring(infer), **RANK).status_code == 503


@pytest.mark.parametrize("images", [[b"one"], [b"one", b"two"]])
def test_same_request_for_a_heavy_model_is_answered_when_the_model_is_away(
    worker: WebWorker, client: FlaskClient, infer: dict[str, str], images: list[bytes]
) -> None:
    ref = worker.publish(name="huge", manifest=make_manifest(execution="heavy"))
    address, keyed = f"{IMAGES}?model=huge", {**infer, "Idempotency-Key": "k"}
    first = client.post(address, headers=keyed, **upload(*images))
    worker.services.residency.unload(ref, by="test")
    worker.services.routing.refresh()

    again = client.post(address, headers=keyed, **upload(*images))
    other = client.post(address, headers=keyed, **upload(b"three"))

    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert client.post(address, headers=infer, **upload(*images)).status_code == 503


def test_key_of_no_job_means_nothing_to_who_waits(
    worker: WebWorker, client: FlaskClient, infer: dict[str, str]
) -> None:
    keyed = {**infer, "Idempotency-Key": "k"}

    assert [client.post(RECOMMENDATIONS, headers=keyed, **RANK).status_code for _ in range(2)] == [200, 200]
    assert worker.sent == []
