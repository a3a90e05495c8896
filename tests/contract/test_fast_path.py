"""Hot requests come to the same, whether they are answered in front of Flask or behind it."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from app.errors import (
    DeadlineExceeded,
    Draining,
    GalleyError,
    ModelFailed,
    ModelLoading,
    QueueFull,
    RunnerLost,
    ShareExceeded,
)
from app.services.aliases import AliasMove
from tests.factories.both_ways import INFER, LIMIT, MAX_BODY_BYTES, PLACES, TENSORS, Ask, flasks, make_way, see
from tests.factories.web import WebWorker

INFERENCE = Ask(path=INFER, body=TENSORS)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebWorker, WebWorker]]:
    """A worker with the fast path, and one without."""
    folder = tmp_path_factory.mktemp("ways")
    ways = make_way(folder / "fast", fast_path=True), make_way(folder / "flask", fast_path=False)
    yield ways
    for worker in ways:
        worker.services.close()


def failing(error: GalleyError) -> Any:
    """Return what lets the runner fail like that."""

    @contextmanager
    def arrange(worker: WebWorker) -> Iterator[None]:
        worker.inference.error = error
        yield
        worker.inference.error = None

    return arrange


@contextmanager
def full(worker: WebWorker) -> Iterator[None]:
    """Have other clients take all places of the worker, with those that are kept for clients who hold none."""
    admission, now = worker.services.admission, time.monotonic()
    others = [f"other-{number}" for number in range(2 * PLACES)]
    for other in others:
        admission.enter(other, now)
    yield
    for other in others:
        admission.leave(other, now)


@contextmanager
def alias_with_short_memory(worker: WebWorker) -> Iterator[None]:
    """Keep no answers of the alias `default`."""
    move = AliasMove(version="1", by="test", cache_ttl_s=0)
    worker.services.aliases.set("recommender", "default", move)
    worker.services.routing.refresh()
    yield
    worker.services.aliases.set("recommender", "default", replace(move, cache_ttl_s=60))
    worker.services.routing.refresh()


def revoked(worker: WebWorker) -> str:
    token = worker.token()
    worker.services.tokens.revoke(token)
    return f"Bearer {token}"


FAILURES: list[GalleyError] = [
    QueueFull("Full.", retry_after_s=2.2),
    ShareExceeded("Yours.", retry_after_s=1.1),
    ModelLoading("Soon.", retry_after_s=3.0),
    RunnerLost("Gone."),
    Draining("Later."),
    DeadlineExceeded(1.5),
    ModelFailed("It raised."),
]
BOTH_ROUTES: dict[str, dict[str, Any]] = {
    "no token": {"token": lambda _worker: ""},
    "other scheme": {"token": lambda _worker: "Basic YTpi"},
    "empty token": {"token": lambda _worker: "Bearer "},
    "bad token": {"token": lambda _worker: "Bearer a.b.c"},
    "revoked": {"token": revoked},
    "wrong scope": {"client": {"scopes": frozenset({"jobs", "models:read"})}},
    "model not allowed": {"client": {"models": ("fraud", "o*")}},
    "over limit": {"times": LIMIT + 1},
    "far over limit": {"times": LIMIT + 3},
    "no room": {"arrange": full},
    "bad subject": {"headers": {"X-Subject": "x" * 129}},
    "subject": {"headers": {"X-Subject": "Zoë".encode().decode("latin-1")}},
    "short time": {"headers": {"Request-Timeout": "4.5"}},
    "no time": {"headers": {"Request-Timeout": "0.000000001"}},
    "bad time": {"headers": {"Request-Timeout": "-1"}},
    "own id": {"headers": {"X-Request-ID": "mine/1"}},
    "insane id": {"headers": {"X-Request-ID": "<script>"}},
    "origin": {"headers": {"Origin": "https://a.example"}, "is_hot": False},
    "empty body": {"body": b"", "is_hot": False},
    "too large": {"body": b" " * (MAX_BODY_BYTES + 1), "is_hot": False},
    "unreadable": {"body": b'{"inputs": [}'},
    **{f"runner: {error.code}": {"arrange": failing(error)} for error in FAILURES},
}
ASKS = {
    # Each of a user of its own, whose answer is not kept.
    **{
        f"recommend: {name}": Ask(**{"body": b'{"user_id":%d,"k":2}' % (1000 + number), **members})
        for number, (name, members) in enumerate(BOTH_ROUTES.items())
    },
    **{f"infer: {name}": replace(INFERENCE, **members) for name, members in BOTH_ROUTES.items()},
    "recommend: one": Ask(body=b'{"user_id":1}'),
    "recommend: several": Ask(body=b'{"user_ids":[4,2,3],"k":3,"exclude":[1]}'),
    "recommend: hit": Ask(body=b'{"user_id":11}', times=2),
    "recommend: no-cache": Ask(body=b'{"user_id":12}', headers={"Cache-Control": "no-cache"}, times=2),
    "recommend: no-store": Ask(body=b'{"user_id":13}', headers={"Cache-Control": "no-store"}, times=2),
    "recommend: max-age": Ask(body=b'{"user_id":14}', headers={"Cache-Control": "max-age=60"}, times=2),
    "recommend: only kept": Ask(body=b'{"user_id":15}', headers={"Cache-Control": "only-if-cached"}),
    "recommend: nothing is kept": Ask(body=b'{"user_id":18}', arrange=alias_with_short_memory),
    "recommend: over limit, nothing is kept": Ask(
        body=b'{"user_id":19}', arrange=alias_with_short_memory, times=LIMIT + 1
    ),
    "recommend: wrong field": Ask(body=b'{"user_id":"seven","k":0}'),
    "recommend: not a number": Ask(body=b'{"user_id":NaN}'),
    "recommend: deep": Ask(body=b'{"a":' * 9000),
    "recommend: other type": Ask(body=b'{"user_id":16}', headers={"Content-Type": "text/plain"}),
    "recommend: no type": Ask(body=b'{"user_id":17}', headers={"Content-Type": ""}),
    "recommend: query": Ask(body=b'{"user_id":20}', path="/api/v1/recommendations?version=1", is_hot=False),
    "recommend: slash": Ask(body=b'{"user_id":21}', path="/api/v1/recommendations/", is_hot=False),
    "recommend: preference": Ask(body=b'{"user_id":22}', headers={"Prefer": "return=minimal"}, is_hot=False),
    "infer": INFERENCE,
    "infer: again": replace(INFERENCE, times=2),
    "infer: version": replace(INFERENCE, path="/v2/models/digits/versions/1/infer"),
    "infer: alias": replace(INFERENCE, path="/v2/models/digits/versions/default/infer"),
    "infer: no version": replace(INFERENCE, path="/v2/models/digits/versions/7/infer"),
    "infer: no alias": replace(INFERENCE, path="/v2/models/digits/versions/best/infer"),
    "infer: no model": replace(INFERENCE, path="/v2/models/unheard-of/infer"),
    "infer: foreign letters": replace(INFERENCE, path="/v2/models/Zo%C3%AB/infer", is_hot=False),
    "infer: space": replace(INFERENCE, path="/v2/models/a%20b/infer", is_hot=False),
    "infer: query": replace(INFERENCE, path=f"{INFER}?a=b"),
    "infer: unloaded": replace(INFERENCE, path="/v2/models/gone/infer"),
    "infer: heavy": replace(INFERENCE, path="/v2/models/heavy/infer"),
    "infer: route": replace(INFERENCE, path="/v2/models/split/infer", headers={"X-Subject": "ann"}),
    "infer: route of the client": replace(INFERENCE, path="/v2/models/split/infer"),
    "infer: route, failing": replace(
        INFERENCE, path="/v2/models/split/infer", arrange=failing(ModelFailed("It raised."))
    ),
    "infer: route, over limit": replace(INFERENCE, path="/v2/models/split/infer", times=LIMIT + 1),
    "infer: route, unloaded": replace(INFERENCE, path="/v2/models/broken/infer"),
    "infer: gzip wanted": replace(INFERENCE, headers={"Accept-Encoding": "gzip;q=0.5, br"}),
    "infer: gzip sent": replace(INFERENCE, body=gzip.compress(TENSORS), headers={"Content-Encoding": "gzip"}),
    "infer: bad gzip": replace(INFERENCE, headers={"Content-Encoding": "gzip"}),
    "infer: other coding": replace(INFERENCE, headers={"Content-Encoding": "br"}),
    "infer: header's length": replace(INFERENCE, headers={"Inference-Header-Content-Length": "5"}),
    "infer: bad length": replace(INFERENCE, headers={"Inference-Header-Content-Length": "many"}),
    "infer: own deadline": replace(INFERENCE, body=b'{"parameters":{"timeout":1},"inputs":[]}'),
    "infer: unforeseen": replace(INFERENCE, body=b'{"inputs":"unforeseen"}'),
}
# In front of Flask who finds no room is not counted where that would take a trip, and not told where it stands.
UNCOUNTED = {"recommend: no room", "infer: no room", "recommend: no time", "infer: no time"}


@pytest.mark.parametrize("name", ASKS)
def test_both_ways_come_to_the_same(ways: tuple[WebWorker, WebWorker], name: str) -> None:
    ask = ASKS[name]
    with flasks(ways[0]) as behind:
        fast, flask = (see(worker, ask) for worker in ways)

    if name in UNCOUNTED:
        headers = [(header, value) for header, value in flask.headers if not header.startswith("X-RateLimit-")]
        flask = replace(flask, headers=headers)
    assert fast == flask
    assert sum(value for metric, value in fast.measured.items() if metric.startswith("flask_http_request_total")) == 1
    assert [line["event"] for line in fast.log].count("request") == 1
    assert len(behind) == (0 if ask.is_hot else ask.times)


def test_without_the_fast_path_all_is_flasks(ways: tuple[WebWorker, WebWorker]) -> None:
    with flasks(ways[1]) as served:
        for ask in (Ask(), INFERENCE):
            see(ways[1], ask)

    assert len(served) == 2


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("recommend: one", 200),
        ("recommend: not a number", 400),
        ("recommend: revoked", 401),
        ("recommend: model not allowed", 403),
        ("infer: unforeseen", 500),
        ("infer: no version", 404),
        ("infer: heavy", 200),
        ("recommend: other type", 415),
        ("recommend: runner: deadline_exceeded", 504),
        ("recommend: wrong field", 422),
        ("infer: over limit", 429),
        ("infer: runner: share_exceeded", 429),
        ("infer: runner: model_failed", 502),
        ("infer: no room", 503),
        ("infer: unloaded", 503),
        ("infer: own deadline", 504),
        ("recommend: only kept", 504),
    ],
)
def test_the_requests_here_are_what_they_are_called(ways: tuple[WebWorker, WebWorker], name: str, status: int) -> None:
    assert see(ways[0], ASKS[name]).status == status
