"""What the assignment log is told of a request; tests/integration/test_experiment.py counts them."""

from typing import Any
from unittest import mock

import pytest
from flask.testing import FlaskClient

from app.errors import ModelFailed, QueueFull
from app.services.assignment_batches import Assignment, Ending
from app.services.route_draft import Override, RouteDraft, Variant
from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker

PATH = "/api/v1/images/classifications"


@pytest.fixture
def noted(worker: WebWorker) -> Any:
    """Return what was noted, of a model whose route has one variant, and an override for the subject `tester`."""
    worker.publish()
    variants = [Variant(name="control", version=1, weight=1)]
    overrides = [Override(subject="tester", variant="control")]
    worker.services.routes.put("digits", RouteDraft(variants=variants, overrides=overrides), by="test")
    worker.services.routing.refresh()
    noted: list[Assignment] = []
    with mock.patch.object(worker.services.assignments, "note", side_effect=noted.append):
        yield noted


def classify(client: FlaskClient, worker: WebWorker, *, query: str = "", **headers: str) -> Any:
    return client.post(PATH + query, data=b"picture", content_type="image/png", headers=worker.bearer() | headers)


def test_a_routed_request_is_noted(worker: WebWorker, client: FlaskClient, noted: list[Assignment]) -> None:
    classify(client, worker, **{"X-Subject": "ann", "X-Request-ID": "r1"})

    [one] = noted
    assert (one.model_name, one.variant, one.version, one.subject) == ("digits", "control", 1, "ann")
    assert (one.request_id, one.ending, one.is_dealt) == ("r1", Ending.ANSWERED, True)
    assert 0 < one.seconds < 10


def test_the_subject_of_nobody_is_the_client(worker: WebWorker, client: FlaskClient, noted: list[Assignment]) -> None:
    classify(client, worker)

    assert noted[0].subject.startswith("client-")


def test_an_override_deals_nobody(worker: WebWorker, client: FlaskClient, noted: list[Assignment]) -> None:
    classify(client, worker, **{"X-Subject": "tester"})

    assert [one.is_dealt for one in noted] == [False]


@pytest.mark.parametrize(
    ("error", "ending"), [(ModelFailed("It raised."), Ending.ERROR), (QueueFull("It is full."), Ending.ERROR)]
)
def test_a_request_that_failed_is_noted_too(
    worker: WebWorker, client: FlaskClient, noted: list[Assignment], error: Any, ending: Ending
) -> None:
    worker.inference.error = error
    classify(client, worker)

    assert [one.ending for one in noted] == [ending]


def test_what_no_route_chose_is_not_noted(worker: WebWorker, client: FlaskClient, noted: list[Assignment]) -> None:
    answers = [classify(client, worker, query="?version=1"), client.post(PATH), client.get("/health/live")]

    assert [answer.status_code for answer in answers] == [200, 401, 200]
    assert noted == []


def test_a_variant_that_answers_nobody_is_noted(
    worker: WebWorker, client: FlaskClient, noted: list[Assignment]
) -> None:
    worker.services.residency.unload(ModelRef("digits", 1), by="test")
    worker.services.routing.refresh()

    answer = classify(client, worker, **{"X-Subject": "ann"})

    assert answer.json["code"] == "model_unloaded"
    assert [(one.variant, one.subject, one.ending) for one in noted] == [("control", "ann", Ending.ERROR)]
