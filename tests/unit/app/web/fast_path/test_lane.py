"""The fast path answers what is hot and hands on all else; tests/contract/test_fast_path.py compares it with Flask."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from app.scenarios.tensor_frames import pack_answer
from app.services.aliases import AliasMove
from app.web.answers import PIECE_BYTES
from app.web.fast_path.lane import FastPath, fast_path_of
from tests.factories.captured_logs import captured_logs
from tests.factories.ranked_rows import RECOMMENDATIONS, publish_ranking_model
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker, make_worker


@pytest.fixture
def lane(worker: WebWorker) -> FastPath:
    publish_ranking_model(worker)
    lane = fast_path_of(worker.app)
    assert lane is not None
    return lane


def environ_of(worker: WebWorker, path: str = RECOMMENDATIONS, **options: Any) -> dict[str, Any]:
    """Return what a server hands over of a POST."""
    headers = Headers({**worker.bearer(), "Content-Type": "application/json"})
    members: dict[str, Any] = {"path": path, "data": b'{"user_id":7,"k":1}', **options}
    builder = EnvironBuilder(method="POST", headers=headers, **members)
    return builder.get_environ()


def call(app: Any, environ: dict[str, Any]) -> tuple[str, dict[str, str], list[bytes]]:
    """Call a WSGI app; return status line, headers and pieces of the body."""
    told: list[Any] = []
    pieces: Iterable[bytes] = app(environ, lambda status, headers: told.extend([status, dict(headers)]))
    status, headers = told
    return status, headers, list(pieces)


def test_a_hot_request_is_answered(worker: WebWorker, lane: FastPath) -> None:
    status, headers, pieces = call(lane, environ_of(worker))

    assert status == "200 OK"
    assert headers["Content-Type"] == "application/json"
    assert (headers["Content-Length"], len(pieces)) == (str(len(pieces[0])), 1)
    assert (headers["X-Model-Name"], headers["X-RateLimit-Remaining"], headers["X-Cache"]) == (
        "recommender",
        "4999",
        "miss",
    )


def test_a_request_to_a_heavy_model_becomes_a_job(worker: WebWorker, lane: FastPath) -> None:
    publish_ranking_model(worker, manifest=make_manifest(task="ranking", execution="heavy"))
    worker.services.aliases.set("recommender", "default", AliasMove(version="2", by="test"))
    worker.services.routing.refresh()

    status, headers, [body] = call(lane, environ_of(worker))

    job = orjson.loads(body)
    assert (status, headers["Location"]) == ("202 Accepted", f"/api/v1/jobs/{job['id']}")
    assert (job["kind"], job["version"], job["progress"]["total"]) == ("recommendations", 2, 1)
    assert headers["X-RateLimit-Remaining"] == "4999"


def test_a_refusal_is_a_problem(worker: WebWorker, lane: FastPath) -> None:
    environ = environ_of(worker)
    del environ["HTTP_AUTHORIZATION"]

    status, headers, [body] = call(lane, environ)

    assert (status, headers["Content-Type"]) == ("401 Unauthorized", "application/problem+json")
    assert headers["WWW-Authenticate"] == 'Bearer realm="galley"'
    assert b'"code":"token_missing"' in body


def test_what_nobody_foresaw_is_logged_and_told_to_nobody(worker: WebWorker, lane: FastPath) -> None:
    def fail(_row: bytes, _top_k: int) -> bytes:
        raise RuntimeError("secret")

    worker.inference.answer = fail
    with captured_logs() as log:
        status, _, [body] = call(lane, environ_of(worker))

    assert status == "500 Internal Server Error"
    assert b"secret" not in body
    [unforeseen] = [line for line in log if line["event"] == "unforeseen error"]
    assert str(unforeseen["exc_info"]) == "secret"


def test_large_answers_come_in_pieces(worker: WebWorker, lane: FastPath) -> None:
    worker.publish()
    worker.inference.answer = lambda _row, _top_k: pack_answer(bytes(PIECE_BYTES + 1), 0)

    _, headers, pieces = call(lane, environ_of(worker, "/v2/models/digits/infer", data=b"{}"))

    assert [len(piece) for piece in pieces] == [PIECE_BYTES, 1]
    assert headers["Content-Length"] == str(PIECE_BYTES + 1)


@pytest.mark.parametrize("options", [{"query_string": "version=1"}, {"path": "/health/live"}, {"data": b""}])
def test_all_else_is_left_as_it_came(worker: WebWorker, lane: FastPath, options: dict[str, Any]) -> None:
    environ = environ_of(worker, **options)
    before = dict(environ)

    assert lane.reply(environ) is None
    assert environ == before
    status, _, _ = call(lane, environ)
    assert status.startswith(("200", "400", "405"))


def test_a_body_that_is_hot_but_over_the_limit_is_flasks(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, max_body_bytes=18)
    lane = fast_path_of(worker.app)
    assert lane is not None

    assert lane.reply(environ_of(worker, "/v2/models/digits/infer")) is None
    status, _, _ = call(lane, environ_of(worker, "/v2/models/digits/infer"))
    assert status.startswith("413")
    worker.services.close()


def test_the_first_request_starts_the_services(worker: WebWorker, lane: FastPath) -> None:
    assert not worker.services.is_started
    call(lane, environ_of(worker, input_stream=BytesIO(b"{}"), data=None, content_length=2))

    assert worker.services.is_started


def test_there_is_none_where_it_is_off(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, fast_path=False)

    assert fast_path_of(worker.app) is None
    assert not isinstance(worker.app.wsgi_app, FastPath)
    worker.services.close()
