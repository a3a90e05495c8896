"""Requests are counted by route, and by nothing that callers can invent."""

from flask import Flask
from prometheus_client import CollectorRegistry

from app.web.metrics import current_registry, init_metrics

NAME = "flask_http_request_duration_seconds_count"


def make_app() -> tuple[Flask, CollectorRegistry]:
    app, registry = Flask(__name__), CollectorRegistry()
    init_metrics(app, registry)
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
        assert current_registry() is registry
