"""What the streams of one web worker share, put together from its services."""

from collections.abc import Callable
from functools import partial
from typing import Final

from flask import Flask, current_app

from app.services.routing import Router
from app.web.extensions import Services
from app.web.limits import Limits, limits_of
from app.web.sockets.calls import EventCalls
from app.web.sockets.conversation import Circumstances
from app.web.sockets.exchange import Exchange, Office
from app.web.sockets.journal import Journal
from app.web.sockets.open_sockets import OpenSockets
from app.web.sockets.reception import Guest, Reception
from app.web.sockets.streams import Stream
from model_store.model_ref import ModelRef

_KEY: Final = "galley_stream_desk"


class StreamDesk:
    """Where conversations take place."""

    def __init__(self, services: Services, limits: Limits, sockets: OpenSockets) -> None:
        settings = services.settings
        self.sockets = sockets
        self.reception = Reception(
            settings=settings,
            tokens=services.tokens,
            router=services.routing,
            catalog=services.catalog,
            sessions=services.sessions,
            places=services.places,
        )
        office = Office(
            calls=EventCalls(
                services.inference, limit_s=settings.request_timeout_s, check=partial(_check_version, services.routing)
            ),
            limits=limits,
            sessions=services.sessions,
            credits=settings.stream_credits,
        )
        self.circumstances = Circumstances(
            settings=settings, reception=self.reception, open_exchange=partial(_open_exchange, services, office)
        )


def init_desk(app: Flask, services: Services, sockets: OpenSockets) -> None:
    """Give `app` a desk. Call it after `init_limits`."""
    app.extensions[_KEY] = StreamDesk(services, limits_of(app), sockets)


def current_desk() -> StreamDesk:
    """Return the desk of the current app."""
    desk: StreamDesk = current_app.extensions[_KEY]
    return desk


def _check_version(router: Router, ref: ModelRef) -> None:
    router.resolve(ref.name, str(ref.version))


def _open_exchange(
    services: Services, office: Office, stream: Stream, guest: Guest, say: Callable[[str], None]
) -> Exchange:
    journal = Journal(guest.session, services.usage, services.assignments)
    return Exchange(stream, guest.session, office, answered_by=guest.answered_by, journal=journal, say=say)
