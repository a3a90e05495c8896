"""Polls of a job come to the same, whether they are answered in front of Flask or behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from app.db.repositories.jobs import JobRepository, JobState
from app.errors import DatabaseUnavailable
from app.web.blueprints.jobs.answers import job_document
from tests.factories.both_ways import LIMIT, Ask, flasks, make_way, see
from tests.factories.jobs import make_job
from tests.factories.web import WebWorker

CREATED_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUNNING = make_job(
    id="a" * 32,
    kind="images",
    client_id="another",
    model_name="digits",
    done=40,
    total=100,
    created_at=CREATED_AT,
    started_at=CREATED_AT + timedelta(seconds=1),
)
FAILED = replace(
    RUNNING,
    id="b" * 32,
    kind="verification",
    state=JobState.FAILED,
    queue="",
    error={"code": "sample_mismatch", "detail": "Sample 1 differs."},
    finished_at=CREATED_AT + timedelta(seconds=9),
)
POLL = Ask(method="GET", path=f"/api/v1/jobs/{RUNNING.id}", body=b"")


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebWorker, WebWorker]]:
    """A worker with the fast path, and one without; both have the same jobs."""
    folder = tmp_path_factory.mktemp("ways")
    ways = make_way(folder / "fast", fast_path=True), make_way(folder / "flask", fast_path=False)
    for worker in ways:
        with worker.services.database.write() as session:
            for job in (RUNNING, FAILED):
                JobRepository(session).add(job)
    yield ways
    for worker in ways:
        worker.services.close()


def failing(error: Exception) -> Callable[[WebWorker], Any]:
    """Return what lets SQL fail like that."""

    @contextmanager
    def arrange(worker: WebWorker) -> Iterator[None]:
        with mock.patch.object(worker.services.jobs, "find", side_effect=error):
            yield

    return arrange


def tag_of(worker: WebWorker) -> str:
    """Return the ETag of the job that runs."""
    return str(POLL.send(worker, worker.bearer()).headers["ETag"])


@pytest.fixture(scope="module")
def tag(ways: tuple[WebWorker, WebWorker]) -> str:
    return tag_of(ways[0])


ASKS = {
    "running": POLL,
    "failed": replace(POLL, path=f"/api/v1/jobs/{FAILED.id}"),
    "query": replace(POLL, path=f"{POLL.path}?a=b"),
    "any type": replace(POLL, headers={"Content-Type": "text/plain", "Accept": "text/html", "Accept-Encoding": "gzip"}),
    "other tag": replace(POLL, headers={"If-None-Match": '"other"'}),
    "any tag": replace(POLL, headers={"If-None-Match": "*"}),
    "no tag": replace(POLL, headers={"If-None-Match": "?"}),
    "only another": replace(POLL, headers={"If-Match": '"other"'}),
    "since": replace(POLL, headers={"If-Modified-Since": "Sat, 31 Jan 2026 12:00:00 GMT"}),
    "range": replace(POLL, headers={"Range": "bytes=0-1"}),
    "unheard of": replace(POLL, path=f"/api/v1/jobs/{'c' * 32}"),
    "another's": replace(POLL, client={"scopes": frozenset({"jobs"})}),
    "other id": replace(POLL, path="/api/v1/jobs/one", is_hot=False),
    "no token": replace(POLL, token=lambda _worker: ""),
    "bad token": replace(POLL, token=lambda _worker: "Bearer a.b.c"),
    "at the limit": replace(POLL, times=LIMIT),
    "over limit": replace(POLL, times=LIMIT + 1),
    "far over limit": replace(POLL, times=LIMIT + 3),
    "short time": replace(POLL, headers={"Request-Timeout": "4.5"}),
    "bad time": replace(POLL, headers={"Request-Timeout": "-1"}),
    "own id": replace(POLL, headers={"X-Request-ID": "mine/1"}),
    "origin": replace(POLL, headers={"Origin": "https://a.example"}, is_hot=False),
    "head": replace(POLL, method="HEAD", is_hot=False),
    "body": replace(POLL, body=b"{}", is_hot=False),
    "no database": replace(POLL, arrange=failing(DatabaseUnavailable("Away."))),
    "unforeseen": replace(POLL, arrange=failing(RuntimeError("Nobody foresaw this."))),
}


def check_same(ways: tuple[WebWorker, WebWorker], ask: Ask) -> None:
    """Check that both ways come to the same."""
    with flasks(ways[0]) as behind:
        fast, flask = (see(worker, ask) for worker in ways)

    assert fast == flask
    assert sum(value for metric, value in fast.measured.items() if metric.startswith("flask_http_request_total")) == 1
    assert [line["event"] for line in fast.log].count("request") == 1
    assert len(behind) == (0 if ask.is_hot else ask.times)


@pytest.mark.parametrize("name", ASKS)
def test_both_ways_come_to_the_same(ways: tuple[WebWorker, WebWorker], name: str) -> None:
    check_same(ways, ASKS[name])


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_what_is_known_is_so_both_ways(ways: tuple[WebWorker, WebWorker], tag: str, form: str) -> None:
    ask = replace(POLL, headers={"If-None-Match": form.format(tag)})
    check_same(ways, ask)
    seen = see(ways[0], ask)

    assert (seen.status, seen.body) == (304, b"")
    assert {name for name, _ in seen.headers}.isdisjoint({"Content-Type", "Content-Length"})


def test_both_ways_count_in_the_same_window(ways: tuple[WebWorker, WebWorker]) -> None:
    headers = POLL.sent_headers(ways[0])
    asks = [POLL, replace(POLL, path="/api/v1/jobs"), POLL, replace(POLL, path="/api/v1/jobs"), POLL]
    answers = [ask.send(ways[0], headers) for ask in asks]

    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("running", 200),
        ("any tag", 304),
        ("no token", 401),
        ("unheard of", 404),
        ("another's", 404),
        ("only another", 412),
        ("bad time", 422),
        ("at the limit", 200),
        ("over limit", 429),
        ("unforeseen", 500),
        ("no database", 503),
    ],
)
def test_the_requests_here_are_what_they_are_called(ways: tuple[WebWorker, WebWorker], name: str, status: int) -> None:
    assert see(ways[0], ASKS[name]).status == status


def test_what_is_another_is_told_as_all_failures_are(ways: tuple[WebWorker, WebWorker]) -> None:
    ask = ASKS["only another"]
    for worker in ways:
        answer = ask.send(worker, ask.sent_headers(worker))

        assert answer.content_type == "application/problem+json"
        assert answer.json is not None
        assert (answer.json["code"], answer.json["status"]) == ("precondition_failed", 412)


def test_what_is_shown_is_the_jobs_document(ways: tuple[WebWorker, WebWorker]) -> None:
    for worker in ways:
        for job in (RUNNING, FAILED):
            answer = replace(POLL, path=f"/api/v1/jobs/{job.id}").send(worker, worker.bearer())
            assert answer.data == job_document(job)
