"""The OpenAPI side of the web tier: flask-smorest with Galley's errors, and what each route may answer."""

import inspect
from collections.abc import Callable, Iterator
from copy import deepcopy
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeVar

from flask import Flask, Request, Response, request
from flask_smorest import Api, Blueprint
from marshmallow import Schema
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

from app.errors import GalleyError, InvalidFields, UnavailableError
from app.infra.off_hub import off_hub
from app.services.scopes import Scope
from app.web.error_handlers import answer_http_exception, is_told, status_of
from app.web.problems import PROBLEM_JSON
from app.web.schemas import ProblemSchema, V2FailureSchema

View = TypeVar("View", bound=Callable[..., Any])

DESCRIPTION = """\
Galley serves TorchScript models. Get a token from `POST /auth/token` (the *Authorize* button does it for you), then
send it as `Authorization: Bearer …`. Every failure is `application/problem+json` (RFC 9457): programs decide by its
`code` and `retryable`, people read its `detail`. Under `/v2` it is `{"error","code","request_id","retryable"}` instead,
as clients of the Open Inference Protocol expect it.

Every answer carries `X-Request-ID`: the caller's, if it sent a sane one. Limited routes say where the caller stands:
`X-RateLimit-Limit`, `X-RateLimit-Remaining`, and `X-RateLimit-Reset`, in seconds since 1970.
"""

SECURITY_SCHEME = "oauth2"
LARGE_BODY_BYTES = 16 * 1024
SCOPE_MEANINGS = {
    Scope.INFER: "Call models.",
    Scope.MODELS_READ: "Read models, versions and what runs them.",
    Scope.MODELS_WRITE: "Publish versions, move aliases, load and unload.",
    Scope.JOBS: "Submit and read jobs.",
    Scope.ADMIN: "Manage clients, read the audit log.",
}


class GalleyApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's Api, with problem+json for its own failures. Build it in the factory: it keeps the app."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_responses(self) -> None:
        """Describe every failure once, and the answers that flask-smorest refers to by the names of statuses."""
        components = self.spec.components
        components.schema("Problem", schema=ProblemSchema)
        components.schema("V2Failure", schema=V2FailureSchema)
        told = [error for error in error_classes() if is_told(error) or error is GalleyError]
        for error in told:
            components.example(error.code, {"value": example_of(error)})
            components.example(f"v2_{error.code}", {"value": v2_example_of(error)})
        for status in HTTPStatus:
            is_rejection = status == status_of(InvalidFields)
            answer = answer_of(InvalidFields) if is_rejection else {"description": status.phrase}
            components.response(status.name, answer, lazy=True)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer like every other failure."""
        return answer_http_exception(error)


class StrictJsonParser(FlaskParser):
    """webargs' parser with the app's JSON: Python's own takes NaN and lone surrogates, and fails on deep nesting."""

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - the base class's parameters
        """Read the body; `missing` when there is none, or its type is another."""
        return req.get_json() if req.is_json and req.get_data() else missing

    def _process_location_data(self, location_data: Any, schema: Schema, req: Request, *rest: Any) -> Any:
        """Check large bodies in a thread: a thousand outcomes hold a hub for 18 ms, and hostile ones for longer."""
        process = super()._process_location_data
        if location_data is missing or not req.is_json or len(req.get_data()) < LARGE_BODY_BYTES:
            return process(location_data, schema, req, *rest)

        return off_hub(process, location_data, schema, req, *rest)


class GalleyBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest's Blueprint, with strict JSON, and a 304 that carries its ETag and is no failure."""

    ARGUMENTS_PARSER = StrictJsonParser()

    def _check_not_modified(self, etag: str) -> None:
        """Leave it to Werkzeug, which knows weak tags: proxies that compress make them of ours."""

    def _set_etag_in_response(self, response: Response) -> None:
        super()._set_etag_in_response(response)
        response.make_conditional(request)


def init_api(app: Flask) -> GalleyApi:
    """Give `app` an OpenAPI document; the blueprints registered on the result are described in it."""
    app.config |= {
        "API_TITLE": "Galley",
        "API_VERSION": version("galley"),
        "OPENAPI_VERSION": "3.0.3",
        "API_SPEC_OPTIONS": {"info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0"}}},
    }
    api = GalleyApi(app)
    api.spec.components.security_scheme(SECURITY_SCHEME, _security_scheme())
    return api


def problems(*errors: type[GalleyError]) -> Callable[[View], View]:
    """Document which errors a view may answer with, by status, each with an example.

    Stand it above `blp.response` and its kin. Any view may also answer 500.
    """

    def decorate(view: View) -> View:
        notes = deepcopy(getattr(view, "_apidoc", {}))
        responses = notes.setdefault("manual_doc", {}).setdefault("responses", {})
        for error in (*errors, GalleyError):
            _document(responses, error)
        view._apidoc = notes  # type: ignore[attr-defined]  # where flask-smorest keeps its notes
        return view

    return decorate


def _document(responses: dict[str, Any], error: type[GalleyError]) -> None:
    answer = answer_of(error)
    known = responses.setdefault(str(int(status_of(error))), answer)
    examples = answer["content"][PROBLEM_JSON]["examples"]
    known["content"][PROBLEM_JSON]["examples"] |= examples
    known.setdefault("headers", {}).update(answer["headers"])


def answer_of(error: type[GalleyError]) -> dict[str, Any]:
    """Describe the answer that carries `error`."""
    status = status_of(error)
    examples = {error.code: {"$ref": f"#/components/examples/{error.code}"}}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    headers = {}
    if issubclass(error, UnavailableError):
        headers["Retry-After"] = _header("integer", "Seconds to wait before trying again.")
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = _header("string", "The challenge of RFC 6750.")
    return {"description": status.phrase, "content": {PROBLEM_JSON: content}, "headers": headers}


def error_classes(root: type[GalleyError] = GalleyError) -> Iterator[type[GalleyError]]:
    """Yield every kind of failure there is."""
    yield root
    for error in root.__subclasses__():
        yield from error_classes(error)


def example_of(error: type[GalleyError]) -> dict[str, Any]:
    """Return a problem document as `error` gives it, with the first line of the class's docstring for a detail."""
    return {
        "type": f"urn:galley:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": int(status_of(error)),
        "detail": (inspect.getdoc(error) or "").partition("\n")[0],
        "code": error.code,
        "request_id": "4f1c2d7e9a0b4c5d8e6f7a8b9c0d1e2f",
        "retryable": error.is_retryable,
    }


def v2_example_of(error: type[GalleyError]) -> dict[str, Any]:
    """Return the same failure as /v2 answers it."""
    problem = example_of(error)
    return {"error": problem["detail"], **{member: problem[member] for member in ("code", "request_id", "retryable")}}


def _header(kind: str, description: str) -> dict[str, Any]:
    return {"schema": {"type": kind}, "description": description}


def _security_scheme() -> dict[str, Any]:
    scopes = {scope.value: meaning for scope, meaning in SCOPE_MEANINGS.items()}
    return {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/auth/token", "scopes": scopes}}}
