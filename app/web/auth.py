"""Authentication: which routes need a bearer token, who sent it, and what the document says of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from flask.typing import RouteCallable

from app.errors import (
    DatabaseUnavailable,
    ExpiredToken,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    ModelNotAllowed,
    RateLimited,
    RevokedToken,
)
from app.services.scopes import Scope
from app.services.tokens import Identity, TokenService
from app.web.api import SECURITY_SCHEME, problems
from app.web.request_context import current_context

F = TypeVar("F", bound=Callable[..., Any])

_POLICY = "_galley_access"
_ACCESS_ERRORS = (
    MissingToken,
    InvalidToken,
    ExpiredToken,
    RevokedToken,
    InsufficientScope,
    RateLimited,
    DatabaseUnavailable,
)


@dataclass(frozen=True)
class AccessPolicy:
    """What a route asks of its caller: any one of `scopes`."""

    scopes: frozenset[str]

    def check(self, identity: Identity) -> None:
        """Refuse a caller that has none of them.

        :raises InsufficientScope: then.
        """
        if self.scopes.isdisjoint(identity.scopes):
            raise InsufficientScope(" ".join(sorted(self.scopes)))


def init_auth(app: Flask, tokens: TokenService) -> None:
    """Verify the bearer token before each view that `requires` one, whatever else decorates the view."""

    def authenticate() -> None:
        policy = access_policy()
        if policy is None:
            return

        identity = tokens.verify(bearer_token())
        g.identity = identity
        current_context().log_fields["client"] = identity.client_id
        policy.check(identity)

    app.before_request(authenticate)


def requires(*scopes: str) -> Callable[[F], F]:
    """Let a view answer only callers whose token has one of `scopes`, and say so in the OpenAPI document."""

    def mark(view: F) -> F:
        setattr(view, _POLICY, AccessPolicy(frozenset(map(Scope, scopes))))
        documented = problems(*_ACCESS_ERRORS)(view)
        operation = documented._apidoc["manual_doc"]  # type: ignore[attr-defined]  # flask-smorest's notes
        operation["security"] = [{SECURITY_SCHEME: [scope]} for scope in scopes]
        return documented

    return mark


def access_policy() -> AccessPolicy | None:
    """Return what the route of the current request asks of its caller, None if it is open to anyone."""
    policy: AccessPolicy | None = getattr(current_view(), _POLICY, None)
    return policy


def current_view() -> RouteCallable | None:
    """Return the function that will serve the current request: a view, or the method of a class of views.

    None for unknown routes and for OPTIONS, which Flask and CORS answer before any view.
    """
    if request.endpoint is None or request.method == "OPTIONS":
        return None

    view = current_app.view_functions[request.endpoint]
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return view

    method: RouteCallable | None = getattr(view_class, request.method.lower(), None)
    return method or getattr(view_class, "get", None)


def bearer_token() -> str:
    """Return the token of the current request.

    :raises MissingToken: when it has none.
    :raises InvalidToken: when its header holds none.
    """
    return bearer_token_in(request.headers.get("Authorization", ""))


def bearer_token_in(header: str) -> str:
    """Return the token of an Authorization header.

    :raises MissingToken: when it is empty, or one of another scheme.
    :raises InvalidToken: when it holds no token.
    """
    scheme, _, rest = header.partition(" ")
    token = rest.strip()
    if scheme.lower() != "bearer":
        raise MissingToken
    if not token:
        raise InvalidToken

    return token


def caller() -> Identity | None:
    """Return who sent the current request, None on routes open to anyone."""
    identity: Identity | None = g.get("identity")
    return identity


def current_identity() -> Identity:
    """Return who sent the current request.

    :raises MissingToken: on a route that asks for no token.
    """
    identity = caller()
    if identity is None:
        raise MissingToken

    return identity


def check_model_allowed(model_name: str) -> None:
    """Refuse callers that are bound to other models.

    :raises ModelNotAllowed: then.
    """
    if not current_identity().may_use(model_name):
        raise ModelNotAllowed(model_name)
