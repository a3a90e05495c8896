"""The steps of a hot inference: each ends it with an error of its own, and leaves nothing held or uncounted."""

import random
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import gevent
import pytest

from app.errors import (
    BodyTimeout,
    InsufficientScope,
    MissingToken,
    QueueFull,
    RateLimited,
    UnreadableBody,
)
from app.infra.hot_read import HotRead
from app.infra.rate_limit import FallbackWindows, Window
from app.web.body import Readable
from app.web.fast_path.exchange import Exchange
from app.web.limits import limits_of
from tests.factories.hot_exchanges import answer_to, error_of, exchange_of
from tests.factories.ranked_rows import RECOMMENDATIONS, publish_ranking_model
from tests.factories.web import WebWorker, make_worker

BODY = b'{"user_id":7,"k":1}'


class Pieces:
    """A body that comes a few bytes at a time, and ends where it ends."""

    def __init__(self, data: bytes, *, pause_s: float = 0.0) -> None:
        self._data = BytesIO(data)
        self._pause_s = pause_s

    def read(self, size: int, /) -> bytes:
        """Read up to seven bytes."""
        gevent.sleep(self._pause_s)
        return self._data.read(min(size, 7))


class OverLimit(HotRead):
    """Finds each caller over its limit, once it is asked."""

    def run(self, lot: Any, keys: Any) -> tuple[Window | None, list[bytes | None]]:
        """Count it as the millionth."""
        return (Window(10**6, 5.0) if lot else None), [None] * len(keys)


@pytest.fixture
def bearer(worker: WebWorker) -> Iterator[str]:
    """The Authorization of a caller; all places are given back at the end."""
    publish_ranking_model(worker)
    yield worker.bearer()["Authorization"]
    assert worker.services.admission.in_service == 0


def make_exchange(worker: WebWorker, stream: Readable | None = None, **changes: str) -> Exchange:
    """Return the exchange of a request for recommendations, with these variables changed."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": RECOMMENDATIONS,
        "CONTENT_LENGTH": str(len(BODY)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": stream or BytesIO(BODY),
        **changes,
    }
    return exchange_of(worker, environ)


def test_an_answer_says_whose_it_is(worker: WebWorker, bearer: str) -> None:
    exchange = make_exchange(worker, HTTP_AUTHORIZATION=bearer)

    assert b'"item_id": 70' in answer_to(exchange).body

    assert exchange.client_id.startswith("client-")
    assert exchange.context.log_fields == {"client": exchange.client_id}
    assert exchange.standing is not None
    assert exchange.standing.remaining == 4999
    [call] = worker.inference.calls
    assert (call.client_id, call.request_id) == (exchange.client_id, exchange.context.request_id)


def test_a_body_may_come_in_pieces(worker: WebWorker, bearer: str) -> None:
    assert answer_to(make_exchange(worker, Pieces(BODY), HTTP_AUTHORIZATION=bearer)).body


def test_nothing_behind_the_announced_end_is_read(worker: WebWorker, bearer: str) -> None:
    stream = BytesIO(BODY + b"the next request")

    answer_to(make_exchange(worker, stream, HTTP_AUTHORIZATION=bearer))

    assert stream.read() == b"the next request"


def test_a_body_that_breaks_off_is_refused_and_counted(worker: WebWorker, bearer: str) -> None:
    exchange = make_exchange(worker, Pieces(BODY[:-1]), HTTP_AUTHORIZATION=bearer)

    assert isinstance(error_of(exchange), UnreadableBody)
    assert exchange.standing is not None
    assert worker.inference.calls == []


def test_a_body_that_stops_coming_is_refused(tmp_path: Path) -> None:
    worker = make_worker(tmp_path, body_timeout_s=0.02)
    bearer = worker.bearer()["Authorization"]
    exchange = make_exchange(worker, Pieces(BODY, pause_s=0.015), HTTP_AUTHORIZATION=bearer)

    assert isinstance(error_of(exchange), BodyTimeout)
    assert worker.services.admission.in_service == 0
    worker.services.close()


def test_who_may_not_ask_is_told_before_anything_is_read(worker: WebWorker, bearer: str) -> None:
    reader = worker.bearer(scopes=frozenset({"models:read"}))["Authorization"]
    refused = [make_exchange(worker), make_exchange(worker, HTTP_AUTHORIZATION=reader)]

    assert [type(error_of(one)) for one in refused] == [MissingToken, InsufficientScope]
    assert [one.environ["wsgi.input"].tell() for one in refused] == [0, 0]


def test_who_finds_no_place_is_not_read(worker: WebWorker, bearer: str) -> None:
    admission, now = worker.services.admission, time.monotonic()
    limit = worker.services.settings.max_in_service
    others = [f"other-{number}" for number in range(2 * limit)]
    for other in others:
        admission.enter(other, now)
    exchange = make_exchange(worker, HTTP_AUTHORIZATION=bearer)

    assert isinstance(error_of(exchange), QueueFull)
    assert exchange.environ["wsgi.input"].tell() == 0
    for other in others:
        admission.leave(other, now)


@pytest.mark.parametrize("is_kept", [True, False])
def test_who_turns_out_to_be_over_its_limit_has_asked_nobody(worker: WebWorker, bearer: str, is_kept: bool) -> None:
    if is_kept:
        answer_to(make_exchange(worker, HTTP_AUTHORIZATION=worker.bearer()["Authorization"]))
    calls, limits = list(worker.inference.calls), limits_of(worker.app)
    limits.hot_read = OverLimit(None, FallbackWindows(None))
    exchange = make_exchange(worker, HTTP_AUTHORIZATION=bearer)

    assert isinstance(error_of(exchange), RateLimited)
    assert worker.inference.calls == calls
    assert (exchange.context.routed, exchange.context.answered) == (None, None)
    assert exchange.standing is not None
    assert exchange.standing.remaining == 0


def test_requests_at_once_keep_apart(worker: WebWorker, bearer: str) -> None:
    users = random.Random(3).sample(range(10**5, 10**6), 40)
    bodies = [b'{"user_id":%d,"k":1}' % user for user in users]
    exchanges = [
        make_exchange(worker, Pieces(body), HTTP_AUTHORIZATION=bearer, CONTENT_LENGTH=str(len(body))) for body in bodies
    ]
    asked = [gevent.spawn(answer_to, exchange) for exchange in exchanges]
    gevent.joinall(asked, raise_error=True)

    for user, one in zip(users, asked, strict=True):
        assert one.value.body.startswith(b'{"user_id": %d, "items": [{"item_id": %d,' % (user, user * 10))
