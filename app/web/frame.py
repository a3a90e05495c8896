"""The web tier put together around its services: what every request passes, and every blueprint."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask_cors import CORS
from prometheus_client import REGISTRY, CollectorRegistry
from werkzeug.middleware.proxy_fix import ProxyFix

from app.infra.metrics import Exposition
from app.settings import Settings
from app.web.admission import init_admission
from app.web.api import init_api
from app.web.assignments import init_assignments
from app.web.auth import init_auth
from app.web.blueprints.audit.routes import blp as audit
from app.web.blueprints.auth.routes import blp as auth
from app.web.blueprints.clients.routes import blp as clients
from app.web.blueprints.clients.usage import blp as usage
from app.web.blueprints.experiments.routes import blp as experiments
from app.web.blueprints.fraud.routes import blp as fraud
from app.web.blueprints.health.routes import blp as health
from app.web.blueprints.images.routes import blp as images
from app.web.blueprints.jobs.events import blp as job_events
from app.web.blueprints.jobs.results import blp as job_results
from app.web.blueprints.jobs.routes import blp as jobs
from app.web.blueprints.models.aliases import blp as aliases
from app.web.blueprints.models.publishing import blp as publishing
from app.web.blueprints.models.residency import blp as residency
from app.web.blueprints.models.retention import blp as retention
from app.web.blueprints.models.routes import blp as models
from app.web.blueprints.models.traffic import blp as traffic
from app.web.blueprints.oip.routes import BLUEPRINTS as OIP_BLUEPRINTS
from app.web.blueprints.recommendations.routes import blp as recommendations
from app.web.blueprints.text.routes import blp as text
from app.web.body import init_body
from app.web.cli import init_cli
from app.web.docs import init_docs
from app.web.error_handlers import init_error_handlers
from app.web.extensions import Services, init_services
from app.web.fast_path.lane import init_fast_path
from app.web.followed_answers import init_followed_answers
from app.web.job_commands import init_job_commands
from app.web.json_provider import OrjsonProvider
from app.web.limits import init_limits
from app.web.metrics import init_metrics
from app.web.request_context import init_request_context
from app.web.security_headers import init_security_headers
from app.web.sockets.routes import init_sockets
from app.web.uploads import init_uploads
from app.web.usage import init_usage

F = TypeVar("F", bound=Callable[..., Any])

BLUEPRINTS = (
    health,
    auth,
    clients,
    usage,
    images,
    recommendations,
    fraud,
    text,
    models,
    aliases,
    traffic,
    residency,
    audit,
    publishing,
    retention,
    experiments,
    jobs,
    job_results,
    job_events,
    *OIP_BLUEPRINTS,
)

EXPOSED_HEADERS = (
    "Location", "Retry-After", "X-Request-ID", "X-Cache", "Age", "X-Model-Name", "X-Model-Version", "X-Variant",
    "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Pagination", "Server-Timing", "ETag",
    "X-Job-State", "X-Next-Row", "Idempotency-Replayed", "Preference-Applied",
)  # fmt: skip


class GalleyFlask(Flask):
    """Flask whose views and hooks are plain functions, all of them."""

    def ensure_sync(self, func: F) -> F:
        """Return `func` as it is: to ask twenty times per request whether it is a coroutine took 7 % of it."""
        return func


def build_frame(services: Services, registry: CollectorRegistry = REGISTRY) -> Flask:
    """Build the Flask app around `services`; nothing is started and nothing is connected."""
    settings = services.settings
    app = GalleyFlask("app.web")
    app.json = OrjsonProvider(app)
    # Clients of the field take a redirect for an error: one address, with or without a slash at its end.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    init_metrics(app, Exposition(settings.metrics_dir, registry), is_on=settings.metrics)
    init_request_context(app, settings)
    init_error_handlers(app)
    init_services(app, services)
    init_assignments(app, services.assignments)
    init_usage(app, services.usage)
    init_followed_answers(app)
    init_uploads(app)
    init_cors(app, settings)
    init_body(app, settings)
    services.token_codec.init_app(app)
    init_auth(app, services.tokens)
    init_limits(app, settings, services.redis)
    init_admission(app, services.admission)
    init_security_headers(app)

    api = init_api(app)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    init_sockets(app, services)
    init_docs(app, api)
    init_cli(app)
    init_job_commands(app)
    init_fast_path(app, settings, registry)
    init_proxies(app, settings)
    return app


def init_proxies(app: Flask, settings: Settings) -> None:
    """Take the caller's address from the proxies in front, told how many there are: callers forge the rest."""
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0)  # type: ignore[method-assign]


def init_cors(app: Flask, settings: Settings) -> None:
    """Let browsers of the allowed origins call, and read Galley's headers."""
    if settings.cors_origins:
        CORS(app, origins=settings.cors_origins, expose_headers=EXPOSED_HEADERS, max_age=600)
