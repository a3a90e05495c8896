"""Liveness, readiness and metrics, open to anyone."""

from flask.testing import FlaskClient

from tests.factories.web import WebWorker


def test_process_is_live(client: FlaskClient) -> None:
    response = client.get("/health/live")

    assert (response.status_code, response.json) == (200, {"live": True})


def test_ready_when_every_part_is(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()

    response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json == {"ready": True, "parts": {name: {"ready": True} for name in response.json["parts"]}}
    assert set(response.json["parts"]) == {"database", "directory", "models"}


def test_default_version_without_runner_is_not_ready(worker: WebWorker, client: FlaskClient) -> None:
    worker.publish()
    worker.run()

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json["parts"]["models"] == {"ready": False, "reason": "No runner is ready for digits/1."}


def test_unpublished_directory_is_not_ready(worker: WebWorker, client: FlaskClient) -> None:
    worker.directory.lose()

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json["parts"]["directory"]["ready"] is False


def test_metrics_count_requests_by_route(client: FlaskClient) -> None:
    client.get("/health/live")
    client.get("/no/such/route")
    client.open("/health/live", method="INVENTED")

    text = client.get("/metrics").text

    assert 'route="/health/live",status="200"' in text
    assert 'route="unmatched",status="404"' in text
    assert "/no/such/route" not in text
    assert "INVENTED" not in text
