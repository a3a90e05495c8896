"""The services of one web worker, as its views reach them."""

from dataclasses import dataclass, field

import redis
from flask import Flask, current_app

from app.db.session import Database
from app.inference.client import InferenceClient
from app.inference.directory_reader import DirectoryReader
from app.infra.redis import Subscriber
from app.services.clients import ClientService
from app.services.model_catalog import ModelCatalog
from app.services.prediction import PredictionService
from app.services.readiness import ReadinessService
from app.services.releases import ReleaseService
from app.services.routing import Router
from app.services.tokens import TokenService
from app.settings import Settings

_KEY = "galley"


@dataclass(kw_only=True)
class Services:
    """Everything a view may call. Built without touching the network; `start` opens what listens.

    One set per process, made after fork.
    """

    settings: Settings
    database: Database
    redis: redis.Redis
    subscriber: Subscriber
    tokens: TokenService
    clients: ClientService
    releases: ReleaseService
    routing: Router
    catalog: ModelCatalog
    predictions: PredictionService
    readiness: ReadinessService
    directory: DirectoryReader
    inference: InferenceClient
    is_started: bool = field(default=False, init=False)

    def start(self) -> None:
        """Begin to follow tokens, catalogue and directory. Calling it again does nothing."""
        if self.is_started:
            return

        self.is_started = True
        self.subscriber.start()
        self.tokens.start()
        self.routing.start()
        self.directory.start()

    def close(self) -> None:
        """Stop all listeners and close all sockets and pools."""
        if self.is_started:
            self.directory.stop()
            self.routing.stop()
            self.tokens.stop()
            self.subscriber.stop()
        self.inference.close()
        self.redis.close()
        self.database.close()


def init_services(app: Flask, services: Services) -> None:
    """Attach `services` to `app`; they start with its first request, unless the server starts them before."""
    app.extensions[_KEY] = services
    app.before_request(services.start)


def services_of(app: Flask) -> Services:
    """Return the services of `app`."""
    attached: Services = app.extensions[_KEY]
    return attached


def services() -> Services:
    """Return the services of the app that serves the current request or command."""
    return services_of(current_app)
