"""Reads on the fast path: what management answers again and again, to those who follow something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from app.services.tokens import Identity
from app.web.answers import Answer
from app.web.fast_path.exchange import Exchange, HotRoute


@dataclass(frozen=True, slots=True)
class HotRead:
    """A read without a body, and what looks up the answer for whoever asks."""

    size_bytes: ClassVar[int] = 0
    waits_its_turn: ClassVar[bool] = False

    route: HotRoute
    look_up: Callable[[Exchange, Identity], Answer]

    def answer(self, exchange: Exchange) -> Answer:
        """Take every step of a request in the order of Flask's hooks.

        :raises GalleyError: the reason for which there is no answer.
        """
        identity = exchange.begin()
        standing = exchange.standing = exchange.limits.count_management(identity.client_id)
        if standing.is_over:
            raise standing.refusal(self.route.limit_class)

        return self.look_up(exchange, identity)
