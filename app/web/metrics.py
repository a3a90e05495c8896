"""Metrics of requests: how many, how long, by route; labels come from bounded sets only."""

from flask import Flask, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics

from app.web.request_context import route_of_request

# Of other methods, which anyone can invent, nothing is counted.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


_KEY = "galley_metrics"


def init_metrics(app: Flask, registry: CollectorRegistry) -> None:
    """Measure all requests of `app` into `registry`. Call it first, so that the whole request is measured."""

    def route(_request: object) -> str:
        return route_of_request()

    def pass_over() -> None:
        if request.method not in METHODS:
            request.prom_do_not_track = True  # type: ignore[attr-defined]  # the exporter's own mark

    app.extensions[_KEY] = registry
    app.before_request(pass_over)
    exporter = PrometheusMetrics(None, path=None, group_by=route, buckets=BUCKETS_S, registry=registry)
    exporter.init_app(app)


def current_registry() -> CollectorRegistry:
    """Return where the current app measures."""
    registry: CollectorRegistry = current_app.extensions[_KEY]
    return registry
