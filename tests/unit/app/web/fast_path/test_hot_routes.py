"""What is hot: plain requests to a few routes, named and guarded as Flask does it; all else is Flask's."""

from typing import Any

import pytest

from app.web.auth import access_policy
from app.web.fast_path.exchange import HotRequest
from app.web.fast_path.hot_routes import LARGEST_BODY_BYTES, hot_request
from app.web.fast_path.inferences import HotInference
from app.web.limits import class_of_request
from tests.factories.web import WebWorker

RECOMMENDATIONS = "/api/v1/recommendations"
INFER = "/v2/models/digits/infer"
POLL = f"/api/v1/jobs/{'0f' * 16}"


def hot(path: str = RECOMMENDATIONS, **changes: Any) -> HotRequest | None:
    """Return what is hot about a POST of 13 bytes with these variables changed; None takes one away."""
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "CONTENT_LENGTH": "13", **changes}
    return hot_request({name: value for name, value in environ.items() if value is not None})


def polled(path: str = POLL, **changes: Any) -> HotRequest | None:
    """Return what is hot about a GET with these variables changed."""
    return hot(path, **{"REQUEST_METHOD": "GET", "CONTENT_LENGTH": None, **changes})


@pytest.mark.parametrize("path", [RECOMMENDATIONS, INFER, "/v2/models/a.b-c_d~!/versions/best/infer", POLL])
def test_routes_are_those_of_flask(worker: WebWorker, path: str) -> None:
    found = polled(path) if path == POLL else hot(path)
    assert found is not None
    route = found.route
    with worker.app.test_request_context(path, method=route.method) as served:
        rule, access, limit_class = served.request.url_rule, access_policy(), class_of_request()

    assert rule is not None
    assert (route.rule, route.access, route.limit_class) == (rule.rule, access, limit_class)


def test_a_body_is_as_large_as_it_is_said_to_be() -> None:
    found = hot(), polled()

    assert [one and one.size_bytes for one in found] == [13, 0]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1/recommendations/",
        "/api/v1/recommendation",
        "/api//v1/recommendations",
        "/v2/models/digits",
        "/v2/models/digits/infer/",
        "/v2/models//infer",
        "/v2/models/a/b/infer",
        "/v2/models/digits/versions/infer",
        "/v2/models/digits/versions/1/2/infer",
        "/v2/models/digits/infer\n",
        "/v2/models/a b/infer",
        "/v2/models/Zo\xc3\xab/infer",
        "/v2/models/digits/versions/\u0661/infer",
    ],
)
def test_other_paths_are_flasks(path: str) -> None:
    assert hot(path) is None


@pytest.mark.parametrize("path", [RECOMMENDATIONS, INFER])
@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "GET"},
        {"REQUEST_METHOD": "OPTIONS"},
        {"CONTENT_LENGTH": None},
        *({"CONTENT_LENGTH": size} for size in ("", "0", "013", "+13", "13 ", "1_3", "-1", "\u0661", "1e3")),
        {"CONTENT_LENGTH": str(LARGEST_BODY_BYTES + 1)},
        {"CONTENT_LENGTH": "9" * 5000},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_ORIGIN": "https://a.example"},
        {"HTTP_PREFER": "respond-async"},
    ],
)
def test_unusual_requests_are_flasks(path: str, changes: dict[str, Any]) -> None:
    assert hot(path) is not None
    assert hot(path, **changes) is None


def test_bodies_are_hot_up_to_a_size() -> None:
    assert hot(CONTENT_LENGTH=str(LARGEST_BODY_BYTES)) is not None


def test_a_query_chooses_models_of_recommendations_only() -> None:
    assert hot(QUERY_STRING="version=1") is None
    assert hot(INFER, QUERY_STRING="version=1") is not None


@pytest.mark.parametrize(
    ("path", "changes", "reads_cache"),
    [(RECOMMENDATIONS, {}, True), (RECOMMENDATIONS, {"HTTP_CACHE_CONTROL": "no-cache"}, False), (INFER, {}, False)],
)
def test_the_cache_is_read_where_answers_are_kept(path: str, changes: dict[str, str], reads_cache: bool) -> None:
    found = hot(path, **changes)

    assert isinstance(found, HotInference)
    assert found.reads_cache is reads_cache


@pytest.mark.parametrize("size", [None, "", "0"])
def test_polls_are_hot_without_a_body(size: str | None) -> None:
    assert polled(CONTENT_LENGTH=size, HTTP_IF_NONE_MATCH='"tag"', QUERY_STRING="a=b") is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "DELETE"},
        {"CONTENT_LENGTH": "1"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"HTTP_ORIGIN": "https://a.example"},
        {"path": f"{POLL}/events"},
        {"path": f"{POLL}/"},
        {"path": f"{POLL}\n"},
        {"path": POLL.upper()},
        {"path": "/api/v1/jobs"},
        {"path": "/api/v1/jobs/unheard-of"},
    ],
)
def test_other_reads_are_flasks(changes: dict[str, Any]) -> None:
    assert polled(**changes) is None
