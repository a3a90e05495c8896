"""Which requests are hot and plain enough for the fast path; every other one is Flask's."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from app.services.jobs import JOB_ID
from app.services.scopes import Scope
from app.services.tokens import Identity
from app.web.answers import Answer
from app.web.auth import AccessPolicy
from app.web.blueprints.jobs.answers import JOBS_PATH
from app.web.blueprints.jobs.polls import answer_poll
from app.web.blueprints.jobs.visibility import READERS
from app.web.blueprints.oip.infer import answer_infer
from app.web.blueprints.recommendations.answers import answer_recommendations
from app.web.cache_control import CACHE_CONTROL_VARIABLE
from app.web.fast_path.exchange import Exchange, HotRequest, HotRoute
from app.web.fast_path.inferences import HotInference
from app.web.fast_path.reads import HotRead
from app.web.inference import InferenceCall
from app.web.limits import LimitClass

# What arrives with its head as a rule, and costs the hub little.
LARGEST_BODY_BYTES: Final = 256 * 1024
BODY_SIZE: Final = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)
"""How a body's length is announced, where it can be read in one way only."""

_INFERRERS: Final = AccessPolicy(frozenset({Scope.INFER}))
_RECOMMENDATIONS: Final = HotRoute("POST", "/api/v1/recommendations", _INFERRERS, LimitClass.INFERENCE)
_INFER: Final = HotRoute("POST", "/v2/models/<name>/infer", _INFERRERS, LimitClass.INFERENCE)
_INFER_VERSION: Final = HotRoute("POST", "/v2/models/<name>/versions/<version>/infer", _INFERRERS, LimitClass.INFERENCE)
_POLL: Final = HotRoute("GET", f"{JOBS_PATH}/<job_id>", AccessPolicy(frozenset(READERS)), LimitClass.MANAGEMENT)

# Printable ASCII: of all else Flask knows how it is decoded.
_INFER_PATH: Final = re.compile(r"/v2/models/([!-.0-~]+)(?:/versions/([!-.0-~]+))?/infer")
_POLL_PATH: Final = re.compile(rf"{JOBS_PATH}/({JOB_ID.pattern})")
_NO_BODY: Final = ("", "0")
# Browsers' cross-origin requests, bodies of unknown length, and wishes that only Flask's views know.
_UNUSUAL: Final = ("HTTP_ORIGIN", "HTTP_TRANSFER_ENCODING", "HTTP_PREFER")


def hot_request(environ: Mapping[str, Any]) -> HotRequest | None:
    """Return what is hot about a request, or None for Flask."""
    if any(name in environ for name in _UNUSUAL):
        return None

    match environ["REQUEST_METHOD"]:
        case "POST":
            return _inference(environ)
        case "GET":
            return _read(environ)
        case _:
            return None


def _inference(environ: Mapping[str, Any]) -> HotInference | None:
    size = environ.get("CONTENT_LENGTH", "")
    if not BODY_SIZE.fullmatch(size) or int(size) > LARGEST_BODY_BYTES:
        return None

    path, size_bytes = environ["PATH_INFO"], int(size)
    return _recommend(environ, size_bytes) if path == _RECOMMENDATIONS.rule else _infer(path, size_bytes)


def _recommend(environ: Mapping[str, Any], size_bytes: int) -> HotInference | None:
    if environ.get("QUERY_STRING"):
        return None

    reads_cache = CACHE_CONTROL_VARIABLE not in environ
    return HotInference(_RECOMMENDATIONS, size_bytes, answer_recommendations, reads_cache)


def _infer(path: str, size_bytes: int) -> HotInference | None:
    match = _INFER_PATH.fullmatch(path)
    if match is None:
        return None

    name, version = match.groups()
    route = _INFER if version is None else _INFER_VERSION
    return HotInference(route, size_bytes, partial(_answer_infer, name, version))


def _answer_infer(name: str, version: str | None, call: InferenceCall, body: bytes) -> Answer:
    return answer_infer(call, name, version, body)


def _read(environ: Mapping[str, Any]) -> HotRead | None:
    match = _POLL_PATH.fullmatch(environ["PATH_INFO"])
    if match is None or environ.get("CONTENT_LENGTH", "") not in _NO_BODY:
        return None

    return HotRead(_POLL, partial(_answer_poll, match[1]))


def _answer_poll(job_id: str, exchange: Exchange, identity: Identity) -> Answer:
    return answer_poll(exchange.services, identity, job_id, exchange.environ)
