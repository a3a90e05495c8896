"""Input that is wrong, cut off, or made to hurt: a 4xx that says what, and nothing of it stays."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.test_problems import assert_is_problem
from tests.factories.job_posts import JOBS, file_body, json_body, kept_files
from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.uploads import form_body
from tests.factories.web import WebWorker, make_worker

LIMIT = 200_000
TEXT = ("kind", (None, b"recommendations"))
FILE = ("input", ("rows.ndjson", b'{"user_id":1}\n'))


def sent(*parts: Any) -> dict[str, Any]:
    return form_body(list(parts))


def cut(body: dict[str, Any], size: int) -> dict[str, Any]:
    return {**body, "data": body["data"][:size]}


def as_json(data: bytes) -> dict[str, Any]:
    return {"data": data, "content_type": "application/json"}


CASES: dict[str, tuple[dict[str, Any], int]] = {
    "array over the limit": (json_body(inputs=[{"user_id": 1}] * LIMIT), 413),
    "file over the limit": (file_body(b'{"user_id":1}\n' * LIMIT), 413),
    "array at the top": (as_json(b'[{"user_id":1}]'), 422),
    "inputs that are text": (json_body(inputs='{"user_id":1}'), 422),
    "no JSON behind good rows": (as_json(b'{"kind":"recommendations","inputs":[{"user_id":1},{'), 400),
    "more behind the end": (as_json(b'{"kind":"recommendations","inputs":[{"user_id":1}]} x'), 400),
    "bad UTF-8": (as_json(b'{"kind":"recommendations","inputs":["\xff"]}'), 400),
    "lone surrogate": (as_json(b'{"kind":"recommendations","inputs":["\\ud800"]}'), 400),
    "deep rows": (as_json(b'{"kind":"recommendations","inputs":[' + b"[" * 9000), 400),
    "deep parameters": (as_json(b'{"kind":"recommendations","parameters":' + b'{"a":' * 9000), 400),
    "kind of another type": (json_body(kind=["recommendations"]), 422),
    "endless name of a model": (json_body(model="m" * 10_000), 422),
    "name of a model that is a path": (json_body(model="../../etc/passwd"), 404),
    "version that is no number": (json_body(version=1.5), 422),
    "version beyond all numbers": (json_body(version=2**63), 404),
    "error share that is no number": (file_body(parameters=b'{"max_error_share": NaN}'), 422),
    "parameters in another form": (file_body(parameters=b"max_error_share=1"), 422),
    "file before its kind, which is unknown": (sent(FILE, ("kind", (None, b"poems"))), 422),
    "two files": (sent(TEXT, FILE, FILE), 422),
    "two kinds": (sent(TEXT, TEXT, FILE), 422),
    "kind as a file, which goes nowhere": (sent(("kind", ("../kind.csv", b"poems")), FILE), 422),
    "no parts": ({"data": b"--x--\r\n", "content_type": "multipart/form-data; boundary=x"}, 422),
    "no boundary": ({"data": b"--x--\r\n", "content_type": "multipart/form-data"}, 400),
    "broken off in the file": (cut(sent(TEXT, FILE), 250), 400),
    "broken off before the file": (cut(sent(TEXT, FILE), 60), 400),
    "name without an end": (sent(TEXT, ("input", ("rows", b"x"))), 422),
    "name that is all end": (sent(TEXT, ("input", ("n" * 5000 + ".exe", b"x"))), 422),
    "empty file": (file_body(b""), 422),
    "zip called a table": (file_body(b"PK\x03\x04" + bytes(100), name="rows.csv"), 422),
    "table in UTF-16": (file_body("user_id\n1\n".encode("utf-16"), name="rows.csv"), 422),
    "cut off Parquet": (file_body(b"PAR1" + bytes(1000), name="rows.parquet"), 422),
}


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorker]:
    """A worker that takes little."""
    worker = make_worker(tmp_path_factory.mktemp("jobs"), max_body_bytes=LIMIT, max_job_bytes=LIMIT)
    publish_ranking_model(worker)
    yield worker
    worker.services.close()


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_a_problem_and_nothing_of_it_stays(tight: WebWorker, name: str) -> None:
    body, status = CASES[name]

    response = tight.app.test_client().post(JOBS, headers=tight.bearer(), **body)

    assert response.status_code == status, response.json
    assert_is_problem(response, name)
    assert (tight.sent, kept_files(tight)) == ([], [])


def test_name_of_a_file_leads_nowhere(worker: WebWorker, client: FlaskClient) -> None:
    publish_ranking_model(worker)

    response = client.post(JOBS, headers=worker.bearer(), **file_body(name="../../../../etc/cron.d/x.ndjson"))

    assert response.status_code == 202
    assert response.json is not None
    assert kept_files(worker) == [f"{response.json['id']}/input"]


def test_rows_are_never_all_in_memory_as_objects(worker: WebWorker, client: FlaskClient) -> None:
    publish_ranking_model(worker)
    body = b'{"kind":"recommendations","inputs":[' + b"[],[[]]," * 260_000 + b"1]}"
    headers = worker.bearer()
    tracemalloc.start()
    try:
        response = client.post(JOBS, headers=headers, **as_json(body))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert response.status_code == 202
    # The body, read once and once more by the test client, and where each row lies in it.
    assert most < 5 * len(body) + 64 * 2**19
