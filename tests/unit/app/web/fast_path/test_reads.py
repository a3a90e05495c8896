"""Hot reads are counted with all other management of their caller, once, before anything is looked up."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from app.db.repositories.jobs import JobFacts
from app.errors import JobNotFound, RateLimited
from app.services.jobs import JobDraft
from app.web.fast_path.exchange import Exchange
from tests.factories.hot_exchanges import answer_to, error_of, exchange_of
from tests.factories.web import WebWorker, make_worker


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WebWorker]:
    worker = make_worker(tmp_path, limit_management="3/hour")
    yield worker
    worker.services.close()


@pytest.fixture
def job(worker: WebWorker) -> JobFacts:
    return worker.services.jobs.create(JobDraft(kind="images", client_id="another", model_name="digits"))


def make_exchange(worker: WebWorker, job_id: str, bearer: dict[str, str], **changes: str) -> Exchange:
    """Return the exchange of a poll, with these variables changed."""
    variables = {"PATH_INFO": f"/api/v1/jobs/{job_id}", "HTTP_AUTHORIZATION": bearer["Authorization"], **changes}
    return exchange_of(worker, {"REQUEST_METHOD": "GET", **variables})


def test_a_poll_is_answered_and_told_where_its_caller_stands(worker: WebWorker, job: JobFacts) -> None:
    exchange = make_exchange(worker, job.id, worker.bearer())

    assert job.id.encode() in answer_to(exchange).body
    assert exchange.standing is not None
    assert (exchange.standing.amount, exchange.standing.remaining) == (3, 2)


def test_a_poll_of_what_is_known_brings_no_body(worker: WebWorker, job: JobFacts) -> None:
    bearer = worker.bearer()
    tag = answer_to(make_exchange(worker, job.id, bearer)).headers["ETag"]

    known = answer_to(make_exchange(worker, job.id, bearer, HTTP_IF_NONE_MATCH=tag))

    assert (known.status, known.body, known.headers["ETag"]) == (HTTPStatus.NOT_MODIFIED, b"", tag)


def test_it_is_counted_where_flask_counts(worker: WebWorker, job: JobFacts) -> None:
    bearer = worker.bearer()
    listed = worker.app.test_client().get("/api/v1/jobs", headers=bearer)
    exchange = make_exchange(worker, job.id, bearer)
    answer_to(exchange)
    last = worker.app.test_client().get("/api/v1/jobs", headers=bearer)

    assert exchange.standing is not None
    assert exchange.standing.remaining == 1
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (listed, last)] == ["2", "0"]
    assert isinstance(error_of(make_exchange(worker, job.id, bearer)), RateLimited)


def test_what_the_caller_may_not_see_is_counted_too(worker: WebWorker, job: JobFacts) -> None:
    exchange = make_exchange(worker, job.id, worker.bearer(scopes=frozenset({"jobs"})))

    assert isinstance(error_of(exchange), JobNotFound)
    assert exchange.standing is not None
