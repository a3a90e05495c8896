"""GET /v2/health: as clients of the protocol read it, by status and by member."""

from flask.testing import FlaskClient

from app.errors import UnavailableError
from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker


def test_live_is_open_to_anyone(client: FlaskClient) -> None:
    response = client.get("/v2/health/live")

    assert (response.status_code, response.json) == (200, {"live": True, "name": "galley"})


def test_ready_when_every_default_has_a_runner(client: FlaskClient, digits: ModelRef) -> None:
    response = client.get("/v2/health/ready")

    assert (response.status_code, response.json) == (200, {"live": True, "ready": True, "name": "galley"})


def test_unready_says_why_in_the_form_of_failures(worker: WebWorker, client: FlaskClient, digits: ModelRef) -> None:
    worker.run()

    response = client.get("/v2/health/ready")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json["code"] == UnavailableError.code
    assert response.json["ready"] is False
    assert response.json["reasons"] == ["No runner is ready for digits/1."]
    assert response.json["error"] == "Not ready: No runner is ready for digits/1."
