"""A client that may post jobs, before a worker with a model that they are about."""

import pytest

from tests.factories.ranked_rows import publish_ranking_model
from tests.factories.web import WebWorker


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """The headers of its calls."""
    publish_ranking_model(worker)
    return worker.bearer(scopes=frozenset({"jobs"}))
