"""What a caller may rely on of kept answers, on every route whose answers are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.errors import QueueFull
from app.services.aliases import AliasMove
from model_store.manifest import Caching, Ranking, TensorSpec
from tests.factories.classified_texts import TEXTS, classified
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker

RANKED = b'{"user_id":7,"items":[{"item_id":5,"score":1.25}],"cold_start":false}'
ANSWERS: dict[str, Callable[[bytes, int], bytes]] = {
    "recommender": lambda _row, _top_k: RANKED,
    "text": classified,
}


@dataclass(frozen=True)
class CachedRoute:
    """A route, the model behind it, and two requests that differ."""

    path: str
    model: str
    manifest: Callable[..., Any]
    same: dict[str, Any]
    other: dict[str, Any]


def ranking_manifest(**changes: Any) -> Any:
    """Return the manifest of a model that ranks items."""
    return make_manifest(
        task="ranking",
        inputs=[TensorSpec(name="user", datatype="INT64", shape=[-1])],
        outputs=[TensorSpec(name="scores", datatype="FP32", shape=[-1, 3])],
        ranking=Ranking(users="users.npy", items="items.npy", cold_row=0),
        **changes,
    )


def text_manifest(**changes: Any) -> Any:
    """Return the manifest of a model that classifies texts."""
    return make_manifest(task="text-classification", **changes)


ROUTES = (
    CachedRoute(
        "/api/v1/images/classifications", "digits", make_manifest, {"data": b"picture"}, {"data": b"another picture"}
    ),
    CachedRoute(
        "/api/v1/recommendations", "recommender", ranking_manifest, {"json": {"user_id": 7}}, {"json": {"user_id": 8}}
    ),
    CachedRoute(TEXTS, "text", text_manifest, {"json": {"text": "a"}}, {"json": {"text": "b"}}),
)


@pytest.fixture(params=ROUTES, ids=lambda route: route.model)
def route(request: pytest.FixtureRequest, worker: WebWorker) -> CachedRoute:
    """One of the routes; its model is published."""
    route: CachedRoute = request.param
    publish(worker, route)
    if route.model in ANSWERS:
        worker.inference.answer = ANSWERS[route.model]
    return route


@pytest.fixture
def ask(worker: WebWorker, client: FlaskClient, route: CachedRoute) -> Callable[..., TestResponse]:
    """Send the request that is always the same, with this Cache-Control."""
    bearer = worker.bearer()

    def send(cache_control: str | None = None, **changes: Any) -> TestResponse:
        headers = {**bearer, **({"Cache-Control": cache_control} if cache_control else {})}
        return client.post(route.path, **{**route.same, "headers": headers, **changes})

    return send


def publish(worker: WebWorker, route: CachedRoute, **changes: Any) -> None:
    """Publish a version of the route's model."""
    worker.publish(name=route.model, manifest=route.manifest(**changes))


def told(answer: TestResponse) -> tuple[int, str | None, str | None]:
    return answer.status_code, answer.headers.get("X-Cache"), answer.headers.get("Age")


def test_the_second_answer_is_the_first_and_says_how_old_it_is(ask: Callable[..., TestResponse]) -> None:
    first, second = ask(), ask()

    assert (told(first), told(second)) == ((200, "miss", None), (200, "hit", "0"))
    assert first.data == second.data
    assert "queue;dur=0.00, compute;dur=0.00" in second.headers["Server-Timing"]
    assert first.headers["Cache-Control"] == second.headers["Cache-Control"] == "no-store"
    assert first.headers["X-Model-Version"] == second.headers["X-Model-Version"] == "1"


def test_what_differs_is_not_answered_by_it(ask: Callable[..., TestResponse], route: CachedRoute) -> None:
    ask()

    assert told(ask(**route.other)) == (200, "miss", None)


@pytest.mark.parametrize(
    ("cache_control", "outcomes"),
    [
        ("no-cache", ["bypass", "bypass", "hit"]),
        ("max-age=0", ["bypass", "bypass", "hit"]),
        ("no-store", ["bypass", "bypass", "miss"]),
        ("max-age=60", ["miss", "hit", "hit"]),
        ("private, stale-if-error=5, =", ["miss", "hit", "hit"]),
    ],
)
def test_callers_say_what_will_do(ask: Callable[..., TestResponse], cache_control: str, outcomes: list[str]) -> None:
    answers = [ask(cache_control), ask(cache_control), ask()]

    assert [answer.headers["X-Cache"] for answer in answers] == outcomes


def test_who_takes_kept_answers_only_gets_one_or_504(worker: WebWorker, ask: Callable[..., TestResponse]) -> None:
    refused = ask("only-if-cached")
    ask()
    given = ask("only-if-cached")

    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (504, "not_cached", False)
    assert "Retry-After" not in refused.headers
    assert told(given) == (200, "hit", "0")
    assert len(worker.inference.calls) == 1


def test_a_new_version_is_never_answered_from_the_old_ones(
    worker: WebWorker, route: CachedRoute, ask: Callable[..., TestResponse]
) -> None:
    ask()
    publish(worker, route)
    worker.services.aliases.set(route.model, "default", AliasMove(version="2", by="test"))
    worker.services.routing.refresh()
    after = ask()

    assert (told(after), after.headers["X-Model-Version"]) == ((200, "miss", None), "2")
    assert [call.ref.version for call in worker.inference.calls] == [1, 2]


def test_what_is_kept_is_shown_to_nobody_who_may_not_ask(
    worker: WebWorker, route: CachedRoute, ask: Callable[..., TestResponse]
) -> None:
    ask()
    bound, scopeless = worker.bearer(models=("flowers",)), worker.bearer(scopes=frozenset({"jobs"}))

    assert ask(headers=bound).json["code"] == "model_not_allowed"
    assert ask(headers=scopeless).json["code"] == "insufficient_scope"
    assert ask(headers={}).status_code == 401


def test_other_clients_share_answers_unless_the_manifest_keeps_them_apart(
    worker: WebWorker, route: CachedRoute, ask: Callable[..., TestResponse]
) -> None:
    ask()
    shared = ask(headers=worker.bearer())
    publish(worker, route, cache=Caching(per_client=True))
    worker.services.aliases.set(route.model, "default", AliasMove(version="2", by="test"))
    worker.services.routing.refresh()
    apart = [ask(), ask(), ask(headers=worker.bearer())]

    assert shared.headers["X-Cache"] == "hit"
    assert [answer.headers["X-Cache"] for answer in apart] == ["miss", "hit", "miss"]


@pytest.mark.parametrize("how", ["manifest", "alias"])
def test_where_nothing_is_kept_nothing_is_said_of_it(
    worker: WebWorker, route: CachedRoute, ask: Callable[..., TestResponse], how: str
) -> None:
    move = AliasMove(version="1", by="test", cache_ttl_s=0)
    if how == "manifest":
        publish(worker, route, cache=Caching(enabled=False))
        move = AliasMove(version="2", by="test")
    worker.services.aliases.set(route.model, "default", move)
    worker.services.routing.refresh()

    assert [told(ask()) for _ in range(2)] == [(200, None, None)] * 2
    assert ask("only-if-cached").status_code == 504


def test_failures_are_not_kept(worker: WebWorker, ask: Callable[..., TestResponse]) -> None:
    worker.inference.error = QueueFull("Full.")
    refused = ask()
    worker.inference.error = None

    assert (refused.status_code, refused.headers.get("X-Cache")) == (503, None)
    assert told(ask()) == (200, "miss", None)
