"""The OpenAPI document: valid, complete, and what clients were promised."""

import functools
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from tests.contract.openapi_snapshot import read_snapshot
from tests.factories.web import WebWorker

# What carries the description is not described.
UNDESCRIBED = {
    "/openapi.json", "/docs", "/docs/<path:filename>", "/docs/streams", "/static/<path:filename>",
    "/api/v1/fraud/stream", "/api/v1/text/stream",
}  # fmt: skip
OPEN_TO_ANYONE = {
    "/health/live", "/health/ready", "/metrics", "/auth/token", "/auth/revoke", "/v2/health/live", "/v2/health/ready",
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One method of one path, as described."""

    path: str
    method: str
    members: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json
    return document


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    return list(operations_of(document))


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, members in item.items():
            if method != "parameters":
                yield Operation(path, method, members)


def test_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_document_is_what_clients_were_promised(document: dict[str, Any]) -> None:
    promised = read_snapshot()

    assert sorted(document["paths"]) == sorted(promised["paths"])
    assert document == promised, "The document changed: see tests/contract/openapi_snapshot.py."


def test_every_route_is_described(worker: WebWorker, operations: list[Operation]) -> None:
    described = {(operation.path, operation.method) for operation in operations}
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in worker.app.url_map.iter_rules()
        if rule.rule not in UNDESCRIBED
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert described == served


def test_every_operation_says_what_it_does(operations: list[Operation]) -> None:
    assert [str(operation) for operation in operations if not operation.members.get("summary", "").endswith(".")] == []


def test_every_operation_says_what_can_fail(document: dict[str, Any], operations: list[Operation]) -> None:
    for operation in operations:
        answers = operation.members["responses"]
        failures = {status: answer for status, answer in answers.items() if status >= "400"}
        assert "500" in failures, operation
        for status, answer in failures.items():
            assert examples_of(resolve(document, answer)), f"{operation} {status} has no example"


def test_every_success_has_an_example(operations: list[Operation]) -> None:
    for operation in operations:
        for status, answer in operation.members["responses"].items():
            if status == "200" and "content" in answer:
                assert examples_of(answer), f"{operation} {status} has no example"


def test_all_but_open_routes_ask_for_a_scope(operations: list[Operation]) -> None:
    for operation in operations:
        scopes = [scope for need in operation.members.get("security", []) for scope in need["oauth2"]]
        assert bool(scopes) == (operation.path not in OPEN_TO_ANYONE), operation
        if scopes:
            assert {"401", "403", "429"} <= set(operation.members["responses"]), operation


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/images/classifications",
        "/api/v1/recommendations",
        "/api/v1/text/classifications",
        "/api/v1/fraud/scores",
    ],
)
def test_inferences_say_what_their_headers_do(document: dict[str, Any], path: str) -> None:
    shared = document["paths"][path]["parameters"]

    names = [parameter["name"] for parameter in shared if parameter["in"] == "header"]
    assert names == ["Request-Timeout", "X-Subject", "Cache-Control", "Prefer", "Idempotency-Key"]


def test_scores_are_never_kept(document: dict[str, Any]) -> None:
    path = document["paths"]["/api/v1/fraud/scores"]

    (asked,) = (parameter for parameter in path["parameters"] if parameter["name"] == "Cache-Control")
    assert "never kept" in asked["description"]
    assert "X-Cache" not in path["post"]["responses"]["200"]["headers"]


def resolve(document: dict[str, Any], member: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the document."""
    if "$ref" not in member:
        return member

    return functools.reduce(operator.getitem, member["$ref"].split("/")[1:], document)


def examples_of(answer: dict[str, Any]) -> list[Any]:
    contents = answer.get("content", {}).values()
    return [content.get("example", content.get("examples")) for content in contents if set(content) > {"schema"}]
