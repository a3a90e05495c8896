"""The WSGI function in front of Flask: hot requests are answered here, all others behind it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Flask
from prometheus_client import CollectorRegistry

from app.errors import GalleyError
from app.settings import Settings
from app.web.answers import PIECE_BYTES, Answer
from app.web.assignments import note_assignment
from app.web.error_handlers import failure_of, unforeseen_failure_of
from app.web.extensions import services_of
from app.web.fast_path.exchange import Exchange, HotRequest
from app.web.fast_path.hot_routes import hot_request
from app.web.limits import limits_of
from app.web.metrics import RequestMetrics, measure_phases
from app.web.problems import Problem
from app.web.request_context import begin_context, context_headers, log_request
from app.web.security_headers import SECURITY_HEADERS
from app.web.usage import note_usage

StartResponse = Callable[[str, list[tuple[str, str]]], object]
WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

STATUS_LINES: Final = {status: f"{status.value} {status.phrase}" for status in HTTPStatus}
"""A status as WSGI has it: its number and its phrase."""

_KEY: Final = "galley_fast_path"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: status, headers with the length, and the body."""

    status: HTTPStatus
    headers: list[tuple[str, str]]
    answer: Answer
    is_in_turn: bool = False
    """Whether others were let in before it."""

    def pieces(self) -> Iterable[bytes]:
        """Return the body in pieces that are sent one by one: one piece of a small body."""
        body = self.answer.body
        return [bytes(body)] if len(body) <= PIECE_BYTES else self.answer.pieces()


class FastPath:
    """Answers hot requests itself and hands every other one to Flask.

    What Flask's hooks do for a request is done here by the same functions: id and deadline, token, scope, limit, body,
    answer or problem, headers, metrics, log line. The tests of the contract run against both ways.
    """

    def __init__(self, app: Flask, behind: WsgiApp, metrics: RequestMetrics | None) -> None:
        self._behind = behind
        self._services = services_of(app)
        self._settings = self._services.settings
        self._limits = limits_of(app)
        self._metrics = metrics

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        reply = self.reply(environ)
        if reply is None:
            return self._behind(environ, start_response)

        start_response(STATUS_LINES[reply.status], reply.headers)
        return reply.pieces()

    def reply(self, environ: dict[str, Any]) -> Reply | None:
        """Return the answer to a hot request; None for one that is Flask's."""
        hot = hot_request(environ)
        if hot is None or hot.size_bytes > self._settings.max_body_bytes:
            return None

        self._services.start()
        context = begin_context(environ, self._settings)
        exchange = Exchange(hot.route, environ, context, self._services, self._limits)
        answer = self._answer(hot, exchange)
        self._leave_traces(exchange, answer.status)
        is_in_turn = hot.waits_its_turn and answer.status < HTTPStatus.BAD_REQUEST
        return Reply(answer.status, _headers(exchange, answer), answer, is_in_turn)

    def _leave_traces(self, exchange: Exchange, status: HTTPStatus) -> None:
        """Leave the traces that every request leaves."""
        context, route = exchange.context, exchange.route
        note_assignment(self._services.assignments, context, status)
        if exchange.client_id:
            note_usage(self._services.usage, context, exchange.client_id, route.limit_class.value, status)
        if self._metrics is not None:
            seconds = context.elapsed_s()
            self._metrics.observe(route.method, route.rule, status=status, seconds=seconds)
            if context.answered is not None:
                measure_phases(context.answered, route.rule, seconds=seconds)
        if self._settings.access_log:
            log_request(context, method=route.method, route=route.rule, status=status.value)

    def _answer(self, hot: HotRequest, exchange: Exchange) -> Answer:
        try:
            return hot.answer(exchange)
        except GalleyError as err:
            return _refusal(exchange, failure_of(err, exchange.environ["PATH_INFO"], exchange.context))
        except Exception as err:  # noqa: BLE001 - the last line of defence that Flask has too, and logs
            return _refusal(exchange, unforeseen_failure_of(err, exchange.environ["PATH_INFO"]))


def init_fast_path(app: Flask, settings: Settings, registry: CollectorRegistry) -> None:
    """Let plain requests of the hottest routes be answered in front of Flask. Call it when all else is in place."""
    if settings.fast_path:
        lane = FastPath(app, app.wsgi_app, RequestMetrics(registry) if settings.metrics else None)
        app.extensions[_KEY] = lane
        app.wsgi_app = lane  # type: ignore[method-assign]


def fast_path_of(app: Flask) -> FastPath | None:
    """Return the fast path of `app`, None if it has none."""
    lane: FastPath | None = app.extensions.get(_KEY)
    return lane


def _refusal(exchange: Exchange, problem: Problem) -> Answer:
    status, media_type, body = problem.encode(exchange.environ["PATH_INFO"], exchange.context.request_id)
    return Answer(body, media_type, problem.headers, status)


def _headers(exchange: Exchange, answer: Answer) -> list[tuple[str, str]]:
    headers = [*answer.entity_headers(), *SECURITY_HEADERS, *answer.headers.items()]
    if exchange.standing is not None:
        headers += exchange.standing.headers().items()
    headers += context_headers(exchange.context)
    return headers
