"""Metrics of requests: how many, how long, by route; labels come from bounded sets only."""

from functools import cache
from typing import Any, Final

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_flask_exporter import PrometheusMetrics

from app.inference.cache import CacheOutcome
from app.infra.metrics import Exposition
from app.web.request_context import Answered, RequestContext, route_of_request

# Of other methods, which anyone can invent, nothing is counted.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Answers of models may be quicker than requests are, but none of interest takes half a minute.
PHASE_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

PHASE_SECONDS: Final = Histogram(
    "galley_inference_seconds",
    "How long answered inferences took: `total`, and of it what the slowest row waited (queue) and was computed"
    " (compute), unless the answer was a kept one.",
    ["route", "model", "version", "phase"],
    buckets=PHASE_BUCKETS_S,
)

_KEY = "galley_metrics"


class RequestMetrics:
    """The exporter's own metrics, for requests that it does not see. Give it a registry that the exporter measures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # NOTE: the exporter keeps no handle on them, and a registry gives none out.
        collectors: dict[str, Any] = registry._names_to_collectors
        self._seconds: Histogram = collectors["flask_http_request_duration_seconds"]
        self._total: Counter = collectors["flask_http_request_total"]
        self._bound: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}

    def observe(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count one request of a known method to a route of the app."""
        key = (method, route, status)
        bound = self._bound.get(key) or self._bind(key)
        bound[0].observe(seconds)
        bound[1].inc()

    def _bind(self, key: tuple[str, str, int]) -> tuple[Histogram, Counter]:
        method, route, status = key
        # Looking labels up costs more than counting; there are as many of them as routes and statuses.
        bound = self._seconds.labels(method, route, str(int(status))), self._total.labels(method, str(int(status)))
        self._bound[key] = bound
        return bound


def measure_phases(answered: Answered, route: str, *, seconds: float) -> None:
    """Measure an inference that was answered, for so many seconds in all, by a route of the app."""
    queue, compute, total = _phases(route, answered.model_name, answered.model_version)
    if answered.cache is not CacheOutcome.HIT:
        queue.observe(answered.queue_s)
        compute.observe(answered.compute_s)
    total.observe(seconds)


# Only versions that answered come here, so there are no more of them than of those.
@cache
def _phases(route: str, model: str, version: int) -> tuple[Histogram, Histogram, Histogram]:
    queue, compute, total = (
        PHASE_SECONDS.labels(route, model, str(version), phase) for phase in ("queue", "compute", "total")
    )
    return queue, compute, total


def init_metrics(app: Flask, exposition: Exposition, *, is_on: bool = True) -> None:
    """Measure all requests of `app`, unless it is off. Call it first, so that the whole request is measured."""
    app.extensions[_KEY] = exposition
    if is_on:
        _measure_requests(app, exposition.own)


def current_exposition() -> Exposition:
    """Return what the current app tells of processes."""
    exposition: Exposition = current_app.extensions[_KEY]
    return exposition


def _measure_requests(app: Flask, registry: CollectorRegistry) -> None:
    def route(_request: object) -> str:
        return route_of_request()

    def pass_over() -> None:
        if request.method not in METHODS:
            request.prom_do_not_track = True  # type: ignore[attr-defined]  # the exporter's own mark

    app.before_request(pass_over)
    app.after_request(_measure_answer)
    exporter = PrometheusMetrics(None, path=None, group_by=route, buckets=BUCKETS_S, registry=registry)
    exporter.init_app(app)


def _measure_answer(response: Response) -> Response:
    context: RequestContext | None = g.get("request_context")
    if context is not None and context.answered is not None:
        measure_phases(context.answered, route_of_request(), seconds=context.elapsed_s())
    return response
