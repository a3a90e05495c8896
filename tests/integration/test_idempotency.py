"""The same job posted by many connections of a client at once, on SQLite and PostgreSQL: it is one job."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.db.repositories.jobs import JobFilter
from tests.factories.job_posts import JOBS, file_body, json_body, kept_files
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.web import WebWorker, make_worker

POSTS = 20


@pytest.fixture(params=["sqlite", "postgresql"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WebWorker]:
    is_sqlite = request.param == "sqlite"
    places = {} if is_sqlite else {"database_url": request.getfixturevalue("postgres").make_database()}
    web = make_worker(tmp_path, **places)
    publish_ranking_model(web)
    yield web
    web.services.close()


def post_at_once(web: WebWorker, bodies: list[dict[str, Any]]) -> list[TestResponse]:
    """Post jobs at the same moment with one key, each over a connection of its own."""
    headers = {**web.bearer(), "Idempotency-Key": "nightly"}
    barrier = threading.Barrier(len(bodies))

    def post(body: dict[str, Any]) -> TestResponse:
        barrier.wait()
        return web.app.test_client().post(JOBS, headers=headers, **body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(post, bodies))


@pytest.mark.parametrize("body", [json_body(), file_body()], ids=["json", "file"])
def test_twenty_posts_of_one_key_are_one_job(web: WebWorker, body: dict[str, Any]) -> None:
    answers = post_at_once(web, [body] * POSTS)

    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json["id"] for answer in answers if answer.json}
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count("true") == POSTS - 1
    assert web.services.jobs.count(JobFilter()) == len(web.sent) == 1
    assert kept_files(web) == [f"{job_id}/input"]


def test_of_two_requests_with_one_key_one_is_a_job(web: WebWorker) -> None:
    answers = post_at_once(web, [json_body(), json_body(inputs=[{"user_id": 3}])] * (POSTS // 2))

    codes = Counter((answer.status_code, (answer.json or {}).get("code")) for answer in answers)
    assert codes == {(202, None): POSTS // 2, (422, "idempotency_key_reused"): POSTS // 2}
    assert web.services.jobs.count(JobFilter()) == 1
