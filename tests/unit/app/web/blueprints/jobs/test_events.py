"""GET /api/v1/jobs/{id}/events."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import orjson
import pytest
from flask.testing import FlaskClient

from app.db.repositories.jobs import JobFacts, JobState
from app.errors import DatabaseUnavailable, ExpiredToken, GalleyError, JobNotFound
from app.web.blueprints.jobs.answers import job_document
from app.web.blueprints.jobs.events import HEARTBEAT, HEARTBEAT_S, POLL_S, RETRY, events_of
from app.web.followed_answers import MOST_FOLLOWED, followed_answers_of
from tests.factories.job_posts import JOBS, planned_job, write_chunks
from tests.factories.jobs import make_job
from tests.factories.web import WebWorker

JOB = make_job()
MOVED, ENDED = replace(JOB, done=5), replace(JOB, done=9, state=JobState.SUCCEEDED)


def event(name: str, job: JobFacts) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), job_document(job))


def following(*looks: JobFacts | GalleyError) -> tuple[Iterator[bytes], list[float]]:
    """Return the events of a job that looks like this, look by look, and then how long it was waited."""
    left, waits = list(looks), list[float]()

    def look() -> JobFacts:
        seen = left.pop(0)
        if isinstance(seen, GalleyError):
            raise seen
        return seen

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return bool(left)

    return events_of(look, wait), waits


def test_document_comes_whenever_it_changed_until_the_end() -> None:
    events, waits = following(JOB, JOB, MOVED, MOVED, ENDED)

    assert list(events) == [
        RETRY, event("progress", JOB), event("progress", MOVED), event("progress", ENDED), event("end", ENDED),
    ]  # fmt: skip
    assert waits == [POLL_S] * 4


def test_silence_is_broken_by_heartbeats() -> None:
    polls = int(HEARTBEAT_S / POLL_S)
    events, _ = following(*[JOB] * (2 * polls + 1))

    assert list(events) == [RETRY, event("progress", JOB), HEARTBEAT, HEARTBEAT]


def test_stream_lasts_while_sql_is_away() -> None:
    events, _ = following(JOB, DatabaseUnavailable("Away."), ENDED)

    assert list(events)[2:] == [event("progress", ENDED), event("end", ENDED)]


@pytest.mark.parametrize(
    ("error", "last"), [(JobNotFound("one"), [b"event: end\ndata: null\n\n"]), (ExpiredToken(), [])]
)
def test_stream_ends_with_its_job_or_token(error: GalleyError, last: list[bytes]) -> None:
    events, _ = following(JOB, error)

    assert list(events)[2:] == last


@pytest.fixture
def job_id(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> str:
    return planned_job(worker, client, headers, rows=1, count=2)


def read_event(stream: Iterator[bytes]) -> tuple[str, dict[str, object]]:
    name, data = next(stream).decode().removesuffix("\n\n").split("\n")
    return name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))


def test_job_is_followed_to_its_end(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    with client.get(f"{JOBS}/{job_id}/events", headers=headers) as response:
        stream = iter(response.response)
        assert next(stream) == RETRY
        assert read_event(stream)[1]["state"] == "running"
        write_chunks(worker, job_id, b"{}\n", b"{}\n")
        seen = [read_event(stream), read_event(stream)]

    document = client.get(f"{JOBS}/{job_id}", headers=headers).json
    assert seen == [("progress", document), ("end", document)]
    assert (response.content_type, response.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
    assert response.headers["Cache-Control"] == "no-store"


def revoke(worker: WebWorker, headers: dict[str, str]) -> None:
    worker.services.tokens.revoke(headers["Authorization"].removeprefix("Bearer "))


def drain(worker: WebWorker, _headers: dict[str, str]) -> None:
    followed_answers_of(worker.app).end()


@pytest.mark.parametrize("end", [revoke, drain])
def test_stream_ends_before_its_job(
    worker: WebWorker,
    client: FlaskClient,
    headers: dict[str, str],
    job_id: str,
    end: Callable[[WebWorker, dict[str, str]], None],
) -> None:
    with client.get(f"{JOBS}/{job_id}/events", headers=headers) as response:
        stream = iter(response.response)
        begin = [next(stream), next(stream)]
        end(worker, headers)

        assert len(begin) == 2
        assert list(stream) == []


def test_client_that_went_gives_its_place_back(client: FlaskClient, headers: dict[str, str], job_id: str) -> None:
    path = f"{JOBS}/{job_id}/events"
    followed = [client.get(path, headers=headers) for _ in range(MOST_FOLLOWED)]
    refused = client.get(path, headers=headers)
    heads = [client.head(path, headers=headers) for _ in range(MOST_FOLLOWED)]
    followed.pop().close()
    again = client.get(path, headers=headers)

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_streams")
    assert {head.status_code for head in heads} == {200}
    assert again.status_code == 200
    for stream in (*followed, again):
        stream.close()
