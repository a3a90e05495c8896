"""/openapi.json and /docs, without anything from elsewhere."""

import re

import pytest
from flask.testing import FlaskClient

from tests.factories.web import WebWorker

PAGES = ("/docs", "/docs/streams")


def test_document_describes_the_routes(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json

    assert document["openapi"].startswith("3.")
    assert "/api/v1/images/classifications" in document["paths"]


def test_unchanged_document_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get("/openapi.json").headers["ETag"]

    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", PAGES)
def test_every_file_of_a_page_is_served_from_here(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert len(files) >= 4
    for file in files:
        with client.get(file) as response:
            assert response.status_code == 200, file


@pytest.mark.parametrize("path", [*PAGES, "/docs/"])
def test_pages_forbid_foreign_and_inline_code(client: FlaskClient, path: str) -> None:
    page = client.get(path)

    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)", page.text) == []


def test_the_page_of_streams_needs_nothing_inline(client: FlaskClient) -> None:
    page = client.get("/docs/streams")

    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert re.findall(r"<style|\sstyle=|\son\w+=", page.text) == []


def test_its_script_imports_what_is_there(client: FlaskClient) -> None:
    with client.get("/static/streams.js") as response:
        imported = re.findall(r'from "\./([^"]+)"', response.text)

    assert imported
    for name in imported:
        with client.get(f"/static/{name}") as response:
            assert response.mimetype == "text/javascript", name


@pytest.mark.parametrize("path", ["/docs/../__init__.py", "/docs/%2e%2e/__init__.py", "/docs/nothing.js"])
def test_other_files_stay_hidden(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_authorize_asks_the_token_route(worker: WebWorker, client: FlaskClient) -> None:
    schemes = client.get("/openapi.json").json["components"]["securitySchemes"]
    flow = schemes["oauth2"]["flows"]["clientCredentials"]

    assert flow["tokenUrl"] in {str(rule) for rule in worker.app.url_map.iter_rules()}
    assert set(flow["scopes"]) == {"infer", "models:read", "models:write", "jobs", "admin"}
