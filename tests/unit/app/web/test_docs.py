"""/openapi.json and /docs, without anything from elsewhere."""

import re

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker


def test_document_describes_the_routes(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json

    assert document["openapi"].startswith("3.")
    assert "/api/v1/images/classifications" in document["paths"]


def test_unchanged_document_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get("/openapi.json").headers["ETag"]

    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_every_file_of_the_page_is_served_from_here(client: FlaskClient) -> None:
    page = client.get("/docs")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert len(files) >= 5
    for file in files:
        with client.get(file) as response:
            assert response.status_code == 200, file


def test_page_forbids_foreign_and_inline_code(client: FlaskClient) -> None:
    page = client.get("/docs/")

    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []


@pytest.mark.parametrize("path", ["/docs/../__init__.py", "/docs/%2e%2e/__init__.py", "/docs/nothing.js"])
def test_other_files_stay_hidden(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_authorize_asks_the_token_route(worker: WebWorker, client: FlaskClient) -> None:
    schemes = client.get("/openapi.json").json["components"]["securitySchemes"]
    flow = schemes["oauth2"]["flows"]["clientCredentials"]

    assert flow["tokenUrl"] in {str(rule) for rule in worker.app.url_map.iter_rules()}
    assert set(flow["scopes"]) == {"infer", "models:read", "models:write", "jobs", "admin"}
