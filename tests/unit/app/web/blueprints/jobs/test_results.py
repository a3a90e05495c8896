"""GET /api/v1/jobs/{id}/results and …/errors."""

import errno
from typing import Any
from unittest import mock

import orjson
import pytest
from flask.testing import FlaskClient
from fsspec.implementations.local import LocalFileOpener

from app.errors import ResultsGone
from app.services.jobs import JobDraft
from app.web.blueprints.jobs import results
from app.web.followed_answers import MOST_FOLLOWED
from tests.factories.job_posts import JOBS, planned_job, write_chunks
from tests.factories.web import WebWorker

FIRST = b'{"row":1,"user_id":7,"items":[1],"cold_start":false}\n'
SECOND = b'{"row":3,"user_id":9,"items":[2],"cold_start":true}\n'
BAD = b'{"row":4,"code":"validation_failed","detail":"No."}\n'


@pytest.fixture
def job_id(worker: WebWorker, client: FlaskClient, headers: dict[str, str]) -> str:
    """A job of three chunks of two rows each."""
    return planned_job(worker, client, headers, rows=2, count=3)


def test_results_grow_while_the_job_runs(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    path, seen = f"{JOBS}/{job_id}/results", []
    for chunks in ([], [FIRST], [SECOND], [b'{"row":5}\n']):
        write_chunks(worker, job_id, *chunks, rows=2)
        response = client.get(path, headers=headers)
        seen.append((response.data, response.headers["X-Job-State"], response.headers.get("X-Next-Row")))
        assert response.content_type == "application/x-ndjson"

    assert seen == [
        (b"", "running", "1"),
        (FIRST, "running", "3"),
        (FIRST + SECOND, "running", "5"),
        (FIRST + SECOND + b'{"row":5}\n', "succeeded", None),
    ]
    assert client.get(f"{path}?from_row=2", headers=headers).data == SECOND + b'{"row":5}\n'


def test_results_come_as_a_table(worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str) -> None:
    path = f"{JOBS}/{job_id}/results?format=csv"
    empty = client.get(path, headers=headers)
    write_chunks(worker, job_id, FIRST, SECOND, rows=2)
    response = client.get(path, headers=headers)

    header = b"row,user_id,items,cold_start,results,model\r\n"
    assert (empty.data, response.data) == (header, header + b"1,7,[1],false,,\r\n3,9,[2],true,,\r\n")
    assert response.mimetype == "text/csv"


def test_errors_are_lines_too(worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str) -> None:
    write_chunks(worker, job_id, FIRST, SECOND, errors=BAD, rows=2)

    response = client.get(f"{JOBS}/{job_id}/errors", headers=headers)

    assert [orjson.loads(line) for line in response.data.splitlines()] == [orjson.loads(BAD)]
    assert client.get(f"{JOBS}/{job_id}/errors?from_row=5", headers=headers).data == b""


@pytest.mark.parametrize("what", ["results", "errors", "results?format=csv"])
def test_head_tells_the_state(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str, what: str
) -> None:
    write_chunks(worker, job_id, FIRST, errors=BAD, rows=2)

    response = client.head(f"{JOBS}/{job_id}/{what}", headers=headers)

    assert (response.status_code, response.data, response.headers["X-Job-State"]) == (200, b"", "running")


@pytest.mark.parametrize(
    ("query", "field"), [("format=xml", "format"), ("from_row=0", "from_row"), (f"from_row={2**63}", "from_row")]
)
def test_wrong_query_is_named(
    client: FlaskClient, headers: dict[str, str], job_id: str, query: str, field: str
) -> None:
    response = client.get(f"{JOBS}/{job_id}/results?{query}", headers=headers)

    assert (response.status_code, list(response.json["errors"])) == (422, [field])


@pytest.mark.parametrize("what", ["results", "errors"])
def test_only_jobs_over_rows_have_them(worker: WebWorker, client: FlaskClient, what: str) -> None:
    job = worker.services.jobs.create(JobDraft(kind="verification", client_id="c", model_name="m"))
    admin = worker.bearer()

    answers: list[Any] = [client.get(f"{JOBS}/{job_id}/{what}", headers=admin) for job_id in (job.id, "unheard-of")]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json["code"] for answer in answers] == ["job_has_no_rows", "job_not_found"]


def test_results_that_cannot_be_read_now_may_be_asked_for_again(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    write_chunks(worker, job_id, FIRST, rows=2)
    stale = OSError(errno.ESTALE, "as a share does")

    with mock.patch.object(LocalFileOpener, "read", create=True, side_effect=stale):
        response = client.get(f"{JOBS}/{job_id}/results", headers=headers)

    assert (response.status_code, response.json["code"]) == (503, "store_unreachable")


def test_results_that_were_removed_are_gone(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    write_chunks(worker, job_id, FIRST, rows=2)
    # By an operator, behind the back of SQL; then by what removes them in time.
    worker.services.job_files.delete(job_id)
    lost = client.get(f"{JOBS}/{job_id}/results", headers=headers)
    worker.services.batch_jobs.cancel(job_id)
    worker.services.batch_jobs.note_purged(job_id)
    purged = [client.get(f"{JOBS}/{job_id}/{what}", headers=headers) for what in ("results", "errors")]

    assert [(answer.status_code, answer.json["code"]) for answer in (lost, *purged)] == [(410, "results_gone")] * 3
    assert client.get(f"{JOBS}/{job_id}", headers=headers).json["state"] == "cancelled"


def test_many_chunks_are_looked_up_page_by_page(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "CHUNKS_PER_PAGE", 3)
    job_id = planned_job(worker, client, headers, rows=2, count=8)
    lines = [b'{"row":%d,"user_id":1}\n' % (1 + 2 * number) for number in range(8)]
    write_chunks(worker, job_id, *lines[:7], rows=2)
    path = f"{JOBS}/{job_id}/results"

    with client.get(path, headers=headers) as begun:
        # What is done later is told by the next stream, as X-Next-Row says.
        write_chunks(worker, job_id, lines[7], rows=2)
        assert (begun.headers["X-Next-Row"], begun.data) == ("15", b"".join(lines[:7]))
    assert client.get(path, headers=headers).data == b"".join(lines)
    assert client.get(f"{path}?from_row=8", headers=headers).data == b"".join(lines[4:])
    assert client.get(f"{path}?format=csv", headers=headers).data.count(b"\r\n") == 9


def test_stream_breaks_when_its_job_is_deleted(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "CHUNKS_PER_PAGE", 1)
    write_chunks(worker, job_id, FIRST, SECOND, b'{"row":5}\n', rows=2)

    with client.get(f"{JOBS}/{job_id}/results", headers=headers) as response:
        stream = iter(response.response)
        assert next(stream) == FIRST
        client.delete(f"{JOBS}/{job_id}", headers=headers)
        with pytest.raises(ResultsGone):
            next(stream)


def test_client_reads_so_many_results_at_once(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    write_chunks(worker, job_id, FIRST, rows=2)
    path = f"{JOBS}/{job_id}/results"
    followed = [client.get(path, headers=headers) for _ in range(MOST_FOLLOWED)]
    refused = client.get(path, headers=headers)
    followed.pop().close()

    assert (refused.status_code, refused.json["code"]) == (429, "too_many_streams")
    assert client.get(path, headers=headers).data == FIRST


def test_stream_that_meets_a_lost_file_breaks(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], job_id: str
) -> None:
    write_chunks(worker, job_id, FIRST, SECOND, rows=2)
    worker.services.job_files.delete(job_id, "results/000001.1.ndjson")

    with client.get(f"{JOBS}/{job_id}/results", headers=headers) as response:
        stream = iter(response.response)
        assert next(stream) == FIRST
        with pytest.raises(ResultsGone):
            next(stream)
