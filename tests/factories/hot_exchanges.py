"""Hot requests on their way through a web worker, without the server around it."""

from typing import Any

import pytest

from app.errors import GalleyError
from app.web.answers import Answer
from app.web.fast_path.exchange import Exchange
from app.web.fast_path.hot_routes import hot_request
from app.web.limits import limits_of
from app.web.request_context import begin_context
from tests.factories.web import WebWorker


def exchange_of(worker: WebWorker, environ: dict[str, Any]) -> Exchange:
    """Return the exchange of a hot request to a worker."""
    hot = hot_request(environ)
    assert hot is not None
    context = begin_context(environ, worker.services.settings)
    return Exchange(hot.route, environ, context, worker.services, limits_of(worker.app))


def answer_to(exchange: Exchange) -> Answer:
    """Take all of its steps."""
    hot = hot_request(exchange.environ)
    assert hot is not None
    return hot.answer(exchange)


def error_of(exchange: Exchange) -> GalleyError:
    """Take its steps, and return the error that ends it."""
    with pytest.raises(GalleyError) as caught:
        answer_to(exchange)
    return caught.value
