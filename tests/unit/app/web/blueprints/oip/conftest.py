"""A caller with all scopes, and a published model."""

import pytest

from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker


@pytest.fixture
def headers(worker: WebWorker) -> dict[str, str]:
    """Return the headers of a caller who may do everything."""
    return worker.bearer()


@pytest.fixture
def digits(worker: WebWorker) -> ModelRef:
    """Publish version 1 of the model `digits`, and have a READY runner for it."""
    return worker.publish()
