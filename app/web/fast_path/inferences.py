"""Inferences on the fast path: what they are counted on, their turn, their body, and the answer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import ClassVar, Final

from app.errors import RateLimited, UnreadableBody
from app.services.tokens import Identity
from app.web.admission import take_place, wait_turn
from app.web.answers import Answer
from app.web.body import BoundedStream, Readable
from app.web.fast_path.exchange import Exchange, HotRoute
from app.web.fast_path.toll import Toll
from app.web.inference import InferenceCall

BROKE_OFF: Final = "The request body broke off before its announced end."


@dataclass(frozen=True, slots=True)
class HotInference:
    """An inference, and what asks the model."""

    waits_its_turn: ClassVar[bool] = True

    route: HotRoute
    size_bytes: int
    ask: Callable[[InferenceCall, bytes], Answer]
    reads_cache: bool = False
    """Whether the cache is read before the model is asked, since the caller says nothing of it."""

    def answer(self, exchange: Exchange) -> Answer:
        """Take every step of a request in the order of Flask's hooks.

        :raises GalleyError: the reason for which there is no answer.
        """
        identity = exchange.begin()
        toll = Toll(exchange.limits, identity.client_id)
        try:
            toll.begin()
            return self._in_its_turn(exchange, identity, toll)
        except RateLimited:
            # It may be found out on the way: nothing was asked of any version, and none answered.
            exchange.context.routed = exchange.context.answered = None
            raise
        finally:
            exchange.standing = toll.standing

    def _in_its_turn(self, exchange: Exchange, identity: Identity, toll: Toll) -> Answer:
        services, context, client_id = exchange.services, exchange.context, identity.client_id
        take_place(services.admission, client_id, context)
        try:
            wait_turn(services.admission, client_id, context)
            return self._counted(InferenceCall(services, context, exchange.environ, identity, toll.read), toll)
        finally:
            services.admission.leave(client_id, time.monotonic())

    def _counted(self, call: InferenceCall, toll: Toll) -> Answer:
        """Answer a request and count it: with the cache's read where there is one, else before the model is asked."""
        if not self.reads_cache:
            toll.settle()
        try:
            return self.ask(call, self._body(call))
        finally:
            # One that failed before the cache was read counts as well.
            toll.settle()

    def _body(self, call: InferenceCall) -> bytes:
        stream = _stream(call)
        body = stream.read(self.size_bytes)
        while len(body) < self.size_bytes:
            piece = stream.read(self.size_bytes - len(body))
            if not piece:
                raise UnreadableBody(BROKE_OFF)
            body += piece
        return body


def _stream(call: InferenceCall) -> Readable:
    stream: Readable = call.environ["wsgi.input"]
    if isinstance(stream, BytesIO):
        # It has arrived: there is nothing to wait for.
        return stream

    settings = call.services.settings
    return BoundedStream(stream, limit_bytes=settings.max_body_bytes, limit_s=settings.body_timeout_s)
