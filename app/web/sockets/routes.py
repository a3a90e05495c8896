"""The routes of streams: a plain blueprint, for flask-sock's routes would be false GETs in the OpenAPI document."""

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, request
from flask_sock import Sock
from wsproto.utilities import RemoteProtocolError

from app.errors import ForeignOrigin, InvalidHandshake, UpgradeRequired
from app.web.auth import bearer_token
from app.web.error_handlers import problem_of
from app.web.extensions import Services, services
from app.web.inference import SUBJECT_VARIABLE, named_subject
from app.web.request_context import current_context
from app.web.sockets.connection import connection_of
from app.web.sockets.conversation import Conversation
from app.web.sockets.desk import current_desk, init_desk
from app.web.sockets.keeper import Keeper
from app.web.sockets.metrics import CLOSED, SOCKETS, closed_label
from app.web.sockets.open_sockets import current_sockets, init_open_sockets
from app.web.sockets.reception import Binding
from app.web.sockets.streams import FRAUD, TEXT, Stream
from app.web.sockets.wire import SERVER_OPTIONS

EXTENSIONS_VARIABLE: Final = "HTTP_SEC_WEBSOCKET_EXTENSIONS"
WENT_AWAY: Final = 1006
"""Noted of a socket that just ended; no frame ever says it (RFC 6455 §7.1.5)."""

blp = Blueprint("streams", __name__, url_prefix="/api/v1")
# It is given no app, and keeps none: it only wraps the views.
sock = Sock()


def init_sockets(app: Flask, live: Services) -> None:
    """Give `app` its streams. Call it after `init_limits`."""
    sockets = init_open_sockets(app, Keeper(live.sessions, live.places))
    live.sessions.on_taken(sockets.hear_taken)
    init_desk(app, live, sockets)
    app.config["SOCK_SERVER_OPTIONS"] = SERVER_OPTIONS
    app.register_blueprint(blp)


@blp.before_request
def check_handshake() -> None:
    """Refuse before the handshake what can be refused in plain HTTP."""
    current_sockets().check_open()
    _check_origin(request.headers.get("Origin"))
    if "Authorization" in request.headers:
        g.identity = current_desk().reception.identify(bearer_token())
    g.binding = _binding()
    # Compression doubles what an idle socket costs; it is not agreed to when it is not asked for.
    request.environ.pop(EXTENSIONS_VARIABLE, None)


@blp.after_request
def note_switch(response: Response) -> Response:
    """Write the status that a WebSocket was answered with, for the log: its response is sent already."""
    if g.get("has_switched"):
        response.status_code = HTTPStatus.SWITCHING_PROTOCOLS
    if response.status_code == HTTPStatus.UPGRADE_REQUIRED:
        response.headers["Upgrade"] = "websocket"
    return response


@blp.errorhandler(RemoteProtocolError)
def refuse_handshake(error: RemoteProtocolError) -> Response:
    """Refuse a request that asks for a WebSocket, and not as RFC 6455 says."""
    return problem_of(InvalidHandshake(str(error))).response()


@blp.get("/fraud/stream")
@blp.get("/text/stream")
def ask_for_upgrade() -> Response:
    """Refuse a plain request."""
    raise UpgradeRequired


@sock.route("/fraud/stream", bp=blp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def fraud_stream(server: Any) -> None:
    """Score payments as they come."""
    converse(server, FRAUD)


@sock.route("/text/stream", bp=blp)  # type: ignore[untyped-decorator]  # flask-sock has no types
def text_stream(server: Any) -> None:
    """Classify texts as they are written."""
    converse(server, TEXT)


def converse(server: Any, stream: Stream) -> None:
    """Speak with one client, from the handshake to the end of the socket."""
    g.has_switched = True
    # Not a request of so many hours.
    request.prom_do_not_track = True  # type: ignore[attr-defined]  # the exporter's own mark
    connection = connection_of(server, largest_frame_bytes=services().settings.stream_frame_bytes)
    desk = current_desk()
    conversation = Conversation(connection, stream, desk.circumstances, binding=g.binding, identity=g.get("identity"))
    with SOCKETS.labels(stream.name).track_inprogress(), desk.sockets.following(conversation):
        conversation.run()
    _note(conversation, stream)


def _note(conversation: Conversation, stream: Stream) -> None:
    code = conversation.close_code or WENT_AWAY
    CLOSED.labels(stream.name, closed_label(code)).inc()
    fields = current_context().log_fields
    fields |= {"stream": stream.name, "close_code": code}
    if conversation.guest is not None:
        session = conversation.guest.session
        fields |= {"client": session.facts.client_id, "session": session.id, "events": conversation.events}
        fields |= {"model": session.facts.model, "version": session.facts.version}


def _binding() -> Binding:
    """Return what the query and the headers of the handshake ask for."""
    subject = request.environ.get(SUBJECT_VARIABLE)
    return Binding(
        model=request.args.get("model"),
        version=request.args.get("version"),
        subject=named_subject(subject) if subject else "",
    )


def _check_origin(origin: str | None) -> None:
    """Refuse browsers' pages of other origins than those that may call: CORS does not stop a WebSocket."""
    allowed = services().settings.cors_origins
    if origin is None or "*" in allowed or origin in allowed or _host_of(origin) == request.host:
        return

    raise ForeignOrigin(origin)


def _host_of(origin: str) -> str:
    """Return the host of an origin, with its port where it names one; nothing for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
