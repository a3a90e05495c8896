"""/docs in a real browser that has no internet: the page shows, and its Authorize button gets a token."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from app.services.clients import ClientDraft
from app.services.scopes import ALL_SCOPES
from tests.factories.browser import Page, open_page
from tests.factories.web import WebWorker


@pytest.fixture
def address(worker: WebWorker) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, worker.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with open_page() as page:
        page.open(f"{address}/docs")
        page.wait_for(".opblock-summary-path")
        yield page


def test_page_shows_all_routes(page: Page, tmp_path: Path) -> None:
    text = page.text("#swagger-ui")

    assert "Galley" in text
    assert "/api/v1/images/classifications" in text.replace("\u200b", "")
    page.screenshot(tmp_path / "docs.png")
    assert (tmp_path / "docs.png").stat().st_size > 10_000


def test_authorize_gets_a_token_and_calls_use_it(page: Page, worker: WebWorker) -> None:
    worker.publish()
    issued = worker.services.clients.create(ClientDraft(scopes=ALL_SCOPES), by="test")

    page.click(".btn.authorize")
    page.type("#client_id_clientCredentials", issued.client.client_id)
    page.type("#client_secret_clientCredentials", issued.secret)
    page.click(".auth-btn-wrapper .authorize")
    page.wait_for("[aria-label='Remove authorization']")
    page.click(".btn-done")
    page.click("#operations-models-get_api_v1_models .opblock-summary-control")
    page.click(".try-out__btn")
    page.click(".execute")
    page.wait_for(".live-responses-table tbody .response-col_status")

    assert "200" in page.text(".live-responses-table tbody .response-col_status")
    assert '"digits"' in page.text(".live-responses-table .highlight-code")
