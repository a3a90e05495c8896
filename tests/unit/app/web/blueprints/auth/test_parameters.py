"""Parameters and credentials are read the same from forms, JSON and Basic headers."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask

from app.errors import InvalidClient, InvalidTokenRequest
from app.web.blueprints.auth.parameters import Credentials, read_credentials, read_parameters, read_required


@contextmanager
def requested(**request: Any) -> Iterator[None]:
    with Flask("tried").test_request_context("/auth/token", method="POST", **request):
        yield


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


@pytest.mark.parametrize("request_body", [{"data": {"a": "1", "b": ""}}, {"json": {"a": "1", "b": ""}}])
def test_forms_and_json_say_the_same(request_body: dict[str, Any]) -> None:
    with requested(**request_body):
        assert read_parameters() == {"a": "1"}


@pytest.mark.parametrize(
    "request_body",
    [{"data": {"a": ["1", "2"]}}, {"json": {"a": 1}}, {"json": [1]}, {"data": b"a=1", "content_type": "text/plain"}],
)
def test_other_bodies_are_refused(request_body: dict[str, Any]) -> None:
    with requested(**request_body), pytest.raises(InvalidTokenRequest):
        read_parameters()


def test_a_missing_parameter_is_named() -> None:
    assert read_required({"token": "x"}, "token") == "x"
    with pytest.raises(InvalidTokenRequest, match="'grant_type'"):
        read_required({"token": "x"}, "grant_type")


def test_credentials_in_the_body() -> None:
    with requested():
        assert read_credentials({"client_id": "a", "client_secret": "b"}) == Credentials("a", "b")
        assert read_credentials({}) is None


@pytest.mark.parametrize("parameters", [{"client_id": "a"}, {"client_secret": "b"}])
def test_half_of_the_credentials_is_none(parameters: dict[str, str]) -> None:
    with requested(), pytest.raises(InvalidClient):
        read_credentials(parameters)


def test_credentials_in_the_header_are_form_encoded() -> None:
    with requested(headers=basic("team%3Aa:50%25+off")):
        assert read_credentials({}) == Credentials("team:a", "50% off")


@pytest.mark.parametrize("parameters", [{"client_secret": "b"}, {"client_id": "other"}])
def test_credentials_in_two_places_are_refused(parameters: dict[str, str]) -> None:
    with requested(headers=basic("a:b")), pytest.raises(InvalidTokenRequest):
        read_credentials(parameters)


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Basic !!!", "Digest a=b"])
def test_other_headers_are_no_credentials(header: str) -> None:
    with requested(headers={"Authorization": header}):
        assert read_credentials({}) is None
