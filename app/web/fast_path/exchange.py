"""One hot request on its way: what is known of it, whichever sort it is of, and the steps that all sorts begin with."""

from dataclasses import dataclass
from typing import Any, Protocol

from app.services.tokens import Identity
from app.web.answers import Answer
from app.web.auth import AccessPolicy, bearer_token_in
from app.web.extensions import Services
from app.web.limits import LimitClass, Limits, Standing
from app.web.request_context import TIMEOUT_VARIABLE, RequestContext


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A route as Flask has it: its method and its rule, whom it answers, and what its requests are counted as."""

    method: str
    rule: str
    access: AccessPolicy
    limit_class: LimitClass


@dataclass(slots=True)
class Exchange:
    """What the steps of a request share; each step raises the GalleyError that ends it."""

    route: HotRoute
    environ: dict[str, Any]
    context: RequestContext
    services: Services
    limits: Limits
    standing: Standing | None = None
    """Where the caller stands within its limit, once that is known."""
    client_id: str = ""
    """Who asks, once that is known."""

    def begin(self) -> Identity:
        """Take the first steps in the order of Flask's hooks, and return who asks.

        :raises InvalidFields: when the deadline that it asks for is none.
        :raises AccessError: when it may not ask.
        """
        self.context.shorten(self.environ.get(TIMEOUT_VARIABLE))
        identity = self.services.tokens.verify(bearer_token_in(self.environ.get("HTTP_AUTHORIZATION", "")))
        self.client_id = self.context.log_fields["client"] = identity.client_id
        self.route.access.check(identity)
        return identity


class HotRequest(Protocol):
    """A request that the fast path answers, of one sort or another."""

    @property
    def route(self) -> HotRoute:
        """The route that it is to."""

    @property
    def size_bytes(self) -> int:
        """How large its body is."""

    @property
    def waits_its_turn(self) -> bool:
        """Whether others are let in before its answer is begun."""

    def answer(self, exchange: Exchange) -> Answer:
        """Take all steps.

        :raises GalleyError: the reason for which there is no answer.
        """
