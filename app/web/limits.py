"""Rate limits of routes: which class a route is in, who is counted, and what the answer says of it."""

import enum
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from flask import Flask, Response, current_app, g, request

from app.errors import InvalidClient, RateLimited
from app.infra.clock import Clock
from app.infra.rate_limit import RateLimit, RateLimiter, Usage
from app.settings import Settings
from app.web.api import problems
from app.web.auth import access_policy, caller, current_view

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


class Limits:
    """The limits of one app."""

    def __init__(self, settings: Settings, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._limits: Mapping[LimitClass, RateLimit] = {
            LimitClass.INFERENCE: RateLimit.parse(settings.limit_inference),
            LimitClass.MANAGEMENT: RateLimit.parse(settings.limit_management),
            LimitClass.LOGIN: RateLimit.parse(settings.limit_login_failures),
        }

    def count_request(self) -> None:
        """Count the current request, if its route is limited.

        :raises RateLimited: when the caller is over its limit.
        """
        limit_class = _class_of_request()
        if limit_class is None:
            return

        identity = caller()
        subject = identity.client_id if identity else f"address:{request.remote_addr}"
        usage = self._limiter.hit(f"{limit_class}:{subject}", self._limits[limit_class])
        g.rate_usage = usage
        if usage.is_exceeded:
            raise _rate_limited(usage, f"over its limit of {usage.limit.amount} {limit_class} requests")

    @contextmanager
    def login(self, client_id: str) -> Iterator[None]:
        """Count the block as a failure if it raises InvalidClient; refuse to enter after too many.

        :raises RateLimited: before any secret is looked at.
        """
        limit = self._limits[LimitClass.LOGIN]
        key = f"{LimitClass.LOGIN}:{client_id[:_LONGEST_ID]}:{request.remote_addr}"
        g.rate_usage = self._limiter.look(key, limit)
        if g.rate_usage.is_spent:
            raise _rate_limited(g.rate_usage, f"over its limit of {limit.amount} failed logins")

        try:
            yield
        except InvalidClient:
            g.rate_usage = self._limiter.hit(key, limit)
            raise


def init_limits(app: Flask, settings: Settings, client: redis.Redis | None, clock: Clock | None = None) -> None:
    """Count each limited request of `app`. Call it after `init_auth`: callers are counted by their identity."""
    limits = Limits(settings, RateLimiter(client, clock))
    app.extensions[_KEY] = limits
    app.before_request(limits.count_request)
    app.after_request(_tell)


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
    if marked is LimitClass.LOGIN:
        return None

    return marked or (LimitClass.MANAGEMENT if access_policy() else None)


def _tell(response: Response) -> Response:
    usage: Usage | None = g.get("rate_usage")
    if usage:
        response.headers["X-RateLimit-Limit"] = str(usage.limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(usage.remaining)
        response.headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + usage.reset_after_s))
    return response


def _rate_limited(usage: Usage, what: str) -> RateLimited:
    seconds = math.ceil(usage.reset_after_s)
    return RateLimited(f"The caller is {what}; try again in {seconds} s.", retry_after_s=usage.reset_after_s)
