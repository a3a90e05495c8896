"""What all hot requests begin with: their deadline, and who may ask."""

import pytest

from app.errors import InsufficientScope, InvalidFields, MissingToken
from app.web.fast_path.exchange import Exchange
from tests.factories.hot_exchanges import exchange_of
from tests.factories.web import WebWorker


def make_exchange(worker: WebWorker, **changes: str) -> Exchange:
    """Return the exchange of a poll, with these variables changed."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/api/v1/jobs/{'0' * 32}", **changes}
    return exchange_of(worker, environ)


def test_who_asks_is_known_and_logged(worker: WebWorker) -> None:
    exchange = make_exchange(worker, HTTP_AUTHORIZATION=worker.bearer()["Authorization"])

    identity = exchange.begin()

    assert exchange.client_id == identity.client_id
    assert exchange.context.log_fields == {"client": identity.client_id}


def test_a_stranger_stays_one(worker: WebWorker) -> None:
    exchange = make_exchange(worker)
    with pytest.raises(MissingToken):
        exchange.begin()

    assert exchange.client_id == ""


def test_who_lacks_the_scopes_is_known_and_refused(worker: WebWorker) -> None:
    reader = worker.bearer(scopes=frozenset({"models:read"}))["Authorization"]
    inference = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v2/models/digits/infer", "CONTENT_LENGTH": "2"}
    exchange = exchange_of(worker, {**inference, "HTTP_AUTHORIZATION": reader})
    with pytest.raises(InsufficientScope):
        exchange.begin()

    assert exchange.client_id.startswith("client-")


def test_the_deadline_is_what_the_caller_asks_for(worker: WebWorker) -> None:
    headers = {"HTTP_AUTHORIZATION": worker.bearer()["Authorization"], "HTTP_REQUEST_TIMEOUT": "0.5"}
    exchange = make_exchange(worker, **headers)
    exchange.begin()

    assert exchange.context.limit_s == 0.5


def test_a_wrong_deadline_is_told_first(worker: WebWorker) -> None:
    with pytest.raises(InvalidFields):
        make_exchange(worker, HTTP_REQUEST_TIMEOUT="soon").begin()
