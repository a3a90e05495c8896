"""Requests are counted by route, and by nothing that callers can invent."""

from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client import REGISTRY, CollectorRegistry

from app.infra.metrics import Exposition
from app.web.metrics import PHASE_SECONDS, RequestMetrics, current_exposition, init_metrics
from tests.factories.captured_logs import captured_logs
from tests.factories.ranked_rows import RECOMMENDATIONS, publish_ranking_model
from tests.factories.web import WebWorker, make_worker

NAME = "flask_http_request_duration_seconds_count"


def make_app() -> tuple[Flask, CollectorRegistry]:
    app, registry = Flask(__name__), CollectorRegistry()
    init_metrics(app, Exposition(Path("nowhere"), registry))
    app.add_url_rule("/models/<name>", "model", lambda name: name)
    return app, registry


def test_requests_of_one_route_are_counted_together() -> None:
    app, registry = make_app()

    for name in ("digits", "fraud"):
        app.test_client().get(f"/models/{name}")

    labels = {"method": "GET", "route": "/models/<name>", "status": "200"}
    assert registry.get_sample_value(NAME, labels) == 2


def test_invented_paths_and_methods_make_no_series() -> None:
    app, registry = make_app()

    for number in range(5):
        app.test_client().get(f"/invented-{number}")
        app.test_client().open("/models/digits", method=f"INVENTED{number}")

    samples = [sample for metric in registry.collect() for sample in metric.samples]
    assert {sample.labels["route"] for sample in samples if "route" in sample.labels} == {"unmatched"}
    assert {sample.labels["method"] for sample in samples if "method" in sample.labels} == {"GET"}


def test_each_app_measures_for_itself() -> None:
    app, registry = make_app()

    with app.app_context():
        assert current_exposition().own is registry


def test_requests_in_front_of_flask_are_counted_with_the_others() -> None:
    app, registry = make_app()
    metrics = RequestMetrics(registry)
    app.test_client().get("/models/digits")
    before = series(registry)

    for _ in range(2):
        metrics.observe("GET", "/models/<name>", status=HTTPStatus.OK, seconds=0.03)

    labels = {"method": "GET", "route": "/models/<name>", "status": "200"}
    assert registry.get_sample_value(NAME, labels) == 3
    assert registry.get_sample_value("flask_http_request_total", {"method": "GET", "status": "200"}) == 3
    assert up_to("0.05", labels, registry) - up_to("0.025", labels, registry) == 2
    assert series(registry) == before


def up_to(edge: str, labels: dict[str, str], registry: CollectorRegistry) -> float:
    """Return how many requests took no longer than so many seconds."""
    value = registry.get_sample_value("flask_http_request_duration_seconds_bucket", {**labels, "le": edge})
    assert value is not None
    return value


def series(registry: CollectorRegistry) -> set[str]:
    """Return all series, each with its labels."""
    samples = [sample for metric in registry.collect() for sample in metric.samples]
    return {f"{sample.name} {sorted(sample.labels.items())}" for sample in samples}


def test_statuses_and_routes_are_series_of_their_own() -> None:
    _, registry = make_app()
    metrics = RequestMetrics(registry)

    for status in (200, 503):
        metrics.observe("POST", "/models/<name>", status=status, seconds=0.1)

    for status in (200, 503):
        labels = {"method": "POST", "route": "/models/<name>", "status": str(status)}
        assert registry.get_sample_value(NAME, labels) == 1


both_ways = pytest.mark.parametrize("fast_path", [True, False], ids=["in-front", "flask"])


def recommend(worker: WebWorker, headers: Mapping[str, str]) -> None:
    """Ask for recommendations as the client does whose headers these are."""
    answer = worker.app.test_client().post(RECOMMENDATIONS, json={"user_id": 7, "k": 1}, headers=headers)
    assert answer.status_code == HTTPStatus.OK


def phases(worker: WebWorker) -> list[float]:
    """Return how many recommendations were measured by phase: queue, compute and total."""
    labels = {"route": RECOMMENDATIONS, "model": "recommender", "version": "1"}
    samples = [sample for metric in PHASE_SECONDS.collect() for sample in metric.samples]
    counts = {
        sample.labels["phase"]: sample.value
        for sample in samples
        if sample.name.endswith("_count") and labels.items() <= sample.labels.items()
    }
    return [counts.get(phase, 0.0) for phase in ("queue", "compute", "total")]


@both_ways
def test_an_answer_is_measured_by_phase_and_a_kept_one_as_a_whole(tmp_path: Path, fast_path: bool) -> None:
    worker = make_worker(tmp_path, fast_path=fast_path)
    with closing(worker.services):
        publish_ranking_model(worker)
        before, headers = phases(worker), worker.bearer()

        for _ in range(3):
            recommend(worker, headers)

        assert [after - earlier for after, earlier in zip(phases(worker), before, strict=True)] == [1, 1, 3]


@both_ways
def test_switched_off_nothing_is_measured_and_no_line_written(tmp_path: Path, fast_path: bool) -> None:
    worker = make_worker(tmp_path, fast_path=fast_path, metrics=False, access_log=False)
    with closing(worker.services), captured_logs() as logs:
        publish_ranking_model(worker)
        before, headers = phases(worker), worker.bearer()

        recommend(worker, headers)

        with worker.app.app_context():
            assert series(current_exposition().own) == set()
        assert phases(worker) == before
        assert [log for log in logs if log["event"] == "request"] == []


def flood(worker: WebWorker, mark: str) -> None:
    """Ask for what there is not, by names that carry a mark: paths, methods, models, versions, aliases, ids, codes."""
    client, headers = worker.app.test_client(), worker.bearer()
    for number in range(3):
        name = f"{mark}-{number}"
        client.get(f"/{name}")
        client.get(f"/v2/models/{name}/versions/{number + 5}", headers=headers)
        client.open("/health/live", method=mark.upper())
        client.post(f"/v2/models/{name}/infer", json={"inputs": []}, headers=headers)
        client.post(RECOMMENDATIONS, json={"user_id": 7, "model": name}, headers=headers)
        client.post(f"{RECOMMENDATIONS}?model={name}&version={name}", json={"user_id": 7}, headers=headers)
        client.get(f"/api/v1/jobs/{name}", headers={**headers, "X-Request-ID": name, "X-Subject": name})
        client.get("/health/live", headers={"Authorization": f"Bearer {name}", "Request-Timeout": name})


def test_a_flood_of_names_makes_no_series(worker: WebWorker) -> None:
    publish_ranking_model(worker)
    with worker.app.app_context():
        own = current_exposition().own
    flood(worker, "first")
    before = series(own) | series(REGISTRY)

    flood(worker, "second")

    assert series(own) | series(REGISTRY) == before
    assert not [line for line in before if "first" in line]
