"""Rate limits of routes: which class a route is in, who is counted, and what the answer says of it."""

import enum
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, TypeVar

import redis
from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit

from app.errors import InvalidClient, RateLimited
from app.infra.rate_lease import LeasedWindows
from app.infra.rate_limit import FallbackWindows, RateLimit
from app.settings import Settings
from app.web.api import problems
from app.web.auth import access_policy, caller, current_view
from app.web.limit_storage import WindowStorage

F = TypeVar("F", bound=Callable[..., Any])

_KEY = "galley_limits"
_CLASS = "_galley_limit"
# A key in Redis is no place for whatever a stranger sends.
_LONGEST_ID = 64


class LimitClass(enum.StrEnum):
    """Routes of one class share one limit per caller."""

    INFERENCE = "inference"
    MANAGEMENT = "management"
    LOGIN = "login"


_COUNTED = {
    LimitClass.INFERENCE: "inference requests",
    LimitClass.MANAGEMENT: "management requests",
    LimitClass.LOGIN: "failed logins",
}


@dataclass(frozen=True)
class Standing:
    """Where the caller of the current request stands within its limit."""

    amount: int
    remaining: int
    reset_after_s: float

    def refusal(self, limit_class: LimitClass) -> RateLimited:
        """Return the failure of a caller that is over the limit."""
        what = f"over its limit of {self.amount} {_COUNTED[limit_class]}"
        seconds = max(1, math.ceil(self.reset_after_s))
        return RateLimited(f"The caller is {what}; try again in {seconds} s.", retry_after_s=seconds)


class Limits:
    """The limits of one app: flask-limiter's, but for inference, which is too hot for its several trips to Redis."""

    def __init__(self, settings: Settings, windows: FallbackWindows) -> None:
        self._inference = RateLimit.parse(settings.limit_inference)
        self._leases = LeasedWindows(windows, self._inference)
        management = ApplicationLimit(
            limit_provider=settings.limit_management,
            scope=LimitClass.MANAGEMENT,
            exempt_when=lambda: _class_of_request() is not LimitClass.MANAGEMENT,
            on_breach=partial(_refuse, LimitClass.MANAGEMENT),
        )
        self._limiter = Limiter(
            _subject,
            application_limits=[management],
            strategy="fixed-window",
            storage_uri=f"{WindowStorage.STORAGE_SCHEME[0]}://",
            storage_options={"windows": windows},  # type: ignore[dict-item]  # declared for values of URLs only
        )
        self._limiter.request_filter(_is_hot)
        self._logins = self._limiter.shared_limit(
            settings.limit_login_failures,
            scope=LimitClass.LOGIN,
            key_func=lambda: g.login_subject,
            deduct_when=lambda _response: g.is_login_failed,
            on_breach=partial(_refuse, LimitClass.LOGIN),
        )

    def init_app(self, app: Flask) -> None:
        """Count each limited request of `app`, and tell where its caller stands."""
        app.before_request(self._count_inference)
        # Runs after flask-limiter's own, which counts failed logins: the last one registered is the first to run.
        app.after_request(self._tell)
        self._limiter.init_app(app)

    @contextmanager
    def login(self, client_id: str) -> Iterator[None]:
        """Count the block as a failure if it raises InvalidClient; refuse to enter after too many.

        :raises RateLimited: before any secret is looked at.
        """
        g.login_subject = f"{client_id[:_LONGEST_ID]}:{request.remote_addr}"
        g.is_login_failed = False
        with self._logins:
            try:
                yield
            except InvalidClient:
                g.is_login_failed = True
                raise

    def _count_inference(self) -> None:
        if not _is_hot():
            return

        limit = self._inference
        window = self._leases.hit(f"{LimitClass.INFERENCE}:{_subject()}")
        g.standing = Standing(limit.amount, max(limit.amount - window.count, 0), window.reset_after_s)
        if window.count > limit.amount:
            raise g.standing.refusal(LimitClass.INFERENCE)

    def _tell(self, response: Response) -> Response:
        limit = self._limiter.current_limit
        standing: Standing | None = _standing_of(limit) if limit else g.get("standing")
        if standing:
            response.headers["X-RateLimit-Limit"] = str(standing.amount)
            response.headers["X-RateLimit-Remaining"] = str(standing.remaining)
            response.headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + standing.reset_after_s))
        return response


def init_limits(app: Flask, settings: Settings, client: redis.Redis | None) -> None:
    """Count each limited request of `app`. Call it after `init_auth`: callers are counted by their identity."""
    limits = Limits(settings, FallbackWindows(client))
    limits.init_app(app)
    app.extensions[_KEY] = limits


def current_limits() -> Limits:
    """Return the limits of the current app."""
    limits: Limits = current_app.extensions[_KEY]
    return limits


def limited(limit_class: str) -> Callable[[F], F]:
    """Count a view's requests in the `LimitClass` of that name, and say so in the OpenAPI document.

    A view that `requires` a token and says nothing is counted as management.
    """

    def mark(view: F) -> F:
        setattr(view, _CLASS, LimitClass(limit_class))
        return problems(RateLimited)(view)

    return mark


def _class_of_request() -> LimitClass | None:
    marked: LimitClass | None = getattr(current_view(), _CLASS, None)
    return marked or (LimitClass.MANAGEMENT if access_policy() else None)


def _standing_of(limit: RequestLimit) -> Standing:
    reset_at, remaining = limit.window
    return Standing(limit.limit.amount, remaining, reset_at - time.time())


def _refuse(limit_class: LimitClass, breached: RequestLimit) -> NoReturn:
    raise _standing_of(breached).refusal(limit_class)


def _is_hot() -> bool:
    return _class_of_request() is LimitClass.INFERENCE


def _subject() -> str:
    """Return who is counted: the client that the verified token names, else the address."""
    identity = caller()
    return identity.client_id if identity else f"address:{request.remote_addr}"
