"""Rate limits of routes: which class a route is in, who is counted, and what the answer says of it."""

import enum
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Self, TypeVar

import redis
from flask import Flask, Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from limits import parse

from app.errors import InvalidClient, RateLimited
from app.infra.hot_read import HotRead
from app.infra.rate_lease import LeasedWindows
from app.infra.rate_limit import FallbackWindows, RateLimit, Window
from app.infra.rate_tally import TalliedWindows
from app.settings import Settings
from app.web.api import problems
from app.web.auth import access_policy, caller, current_view
from app.web.limit_storage import WindowStorage

F = TypeVar("F", bound=Callable[..., Any])

_KEY = "galley_limits"
_CLASS = "_galley_limit"
# A key in Redis is no place for whatever a stranger sends.
_LONGEST_ID = 64


# How many times the failures of one client id an address may have over all ids: teams behind one address share it.
IDS_OF_AN_ADDRESS = 5


class LimitClass(enum.StrEnum):
    """Routes of one class share one limit per caller."""

    INFERENCE = "inference"
    MANAGEMENT = "management"
    LOGIN = "login"
    EVENTS = "events"
    """Frames of streams, which are answered one by one."""


_COUNTED = {
    LimitClass.INFERENCE: "inference requests",
    LimitClass.MANAGEMENT: "management requests",
    LimitClass.LOGIN: "failed logins",
    LimitClass.EVENTS: "events",
}


@dataclass(frozen=True)
class Standing:
    """Where the caller of a request stands within its limit."""

    amount: int
    remaining: int
    reset_after_s: float
    is_over: bool = False

    @classmethod
    def within(cls, amount: int, window: Window) -> Self:
        """Return where a caller stands whose requests were counted in `window`, and who may make `amount`."""
        return cls(amount, max(amount - window.count, 0), window.reset_after_s, is_over=window.count > amount)

    def headers(self) -> dict[str, str]:
        """Return what the answer tells of it."""
        return {
            "X-RateLimit-Limit": str(self.amount),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(time.time() + self.reset_after_s)),
        }

    def refusal(self, limit_class: LimitClass) -> RateLimited:
        """Return the failure of a caller that is over the limit."""
        what = f"over its limit of {self.amount} {_COUNTED[limit_class]}"
        seconds = max(1, math.ceil(self.reset_after_s))
        return RateLimited(f"The caller is {what}; try again in {seconds} s.", retry_after_s=seconds)


class Limits:
    """The limits of one app: flask-limiter's, but for inference, which is too hot for its hooks.

    `leases` counts inference by `inference_key`. Who has more to read than the limit may take from it what is there and
    let `hot_read` ask for the rest. What is answered in front of Flask is counted by `count_management`.
    """

    def __init__(self, settings: Settings, client: redis.Redis | None) -> None:
        windows = self._windows = FallbackWindows(client)
        self._inference = RateLimit.parse(settings.limit_inference)
        self.leases = LeasedWindows(windows, self._inference)
        self.hot_read = HotRead(client, windows)
        self._events = RateLimit.parse(settings.limit_events)
        self._streaming = TalliedWindows(windows, self._events)
        self._management = parse(settings.limit_management)
        self._managing = LeasedWindows(windows, RateLimit.parse(settings.limit_management))
        management = ApplicationLimit(
            limit_provider=settings.limit_management,
            scope=LimitClass.MANAGEMENT,
            exempt_when=lambda: class_of_request() is not LimitClass.MANAGEMENT,
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
        # Who tries many ids has as many of the limits above as it makes ids up.
        self._addresses = self._limiter.shared_limit(
            _times(settings.limit_login_failures, IDS_OF_AN_ADDRESS),
            scope=f"{LimitClass.LOGIN}-address",
            key_func=lambda: f"address:{request.remote_addr}",
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
        with self._addresses, self._logins:
            try:
                yield
            except InvalidClient:
                g.is_login_failed = True
                raise

    def _count_inference(self) -> None:
        if not _is_hot():
            return

        standing = g.standing = self.inference_standing(self.leases.hit(inference_key(_subject())))
        if standing.is_over:
            raise standing.refusal(LimitClass.INFERENCE)

    def inference_standing(self, window: Window) -> Standing:
        """Return where a caller stands whose inferences were counted in `window`."""
        return Standing.within(self._inference.amount, window)

    def count_management(self, client_id: str) -> Standing:
        """Count a management request that flask-limiter does not see, in the window in which it counts its own."""
        window = self._managing.hit(self._management_key(client_id))
        return Standing.within(self._management.amount, window)

    def count_event(self, client_id: str) -> Standing:
        """Count an event that came by a stream."""
        return Standing.within(self._events.amount, self._streaming.hit(_events_key(client_id)))

    def standings(self, client_id: str) -> dict[LimitClass, Standing]:
        """Return where a client stands in each class that is counted by client; nothing is counted."""
        keys = {
            LimitClass.INFERENCE: (inference_key(client_id), self._inference.amount),
            LimitClass.MANAGEMENT: (self._management_key(client_id), self._management.amount),
            LimitClass.EVENTS: (_events_key(client_id), self._events.amount),
        }
        return {limit_class: self._look(key, amount) for limit_class, (key, amount) in keys.items()}

    def _look(self, key: str, amount: int) -> Standing:
        return Standing.within(amount, self._windows.add(key, 0, window_s=0))

    def _management_key(self, client_id: str) -> str:
        """Return what flask-limiter counts a client's management requests by."""
        return self._management.key_for(client_id, LimitClass.MANAGEMENT)

    def _tell(self, response: Response) -> Response:
        limit = self._limiter.current_limit
        standing: Standing | None = _standing_of(limit) if limit else g.get("standing")
        if standing:
            response.headers.update(standing.headers())
        return response


def init_limits(app: Flask, settings: Settings, client: redis.Redis | None) -> None:
    """Count each limited request of `app`. Call it after `init_auth`: callers are counted by their identity."""
    limits = Limits(settings, client)
    limits.init_app(app)
    app.extensions[_KEY] = limits


def limits_of(app: Flask) -> Limits:
    """Return the limits of `app`."""
    limits: Limits = app.extensions[_KEY]
    return limits


def current_limits() -> Limits:
    """Return the limits of the current app."""
    return limits_of(current_app)


def inference_key(subject: str) -> str:
    """Return what the inferences of a client, or of an address without one, are counted by."""
    return f"{LimitClass.INFERENCE}:{subject}"


def _events_key(client_id: str) -> str:
    return f"{LimitClass.EVENTS}:{client_id}"


def limited(limit_class: str) -> Callable[[F], F]:
    """Count a view's requests in the `LimitClass` of that name, and say so in the OpenAPI document.

    A view that `requires` a token and says nothing is counted as management.
    """

    def mark(view: F) -> F:
        setattr(view, _CLASS, LimitClass(limit_class))
        return problems(RateLimited)(view)

    return mark


def class_of_request() -> LimitClass | None:
    """Return the class that the route of the current request is in, None if it is not limited."""
    marked: LimitClass | None = getattr(current_view(), _CLASS, None)
    return marked or (LimitClass.MANAGEMENT if access_policy() else None)


def _standing_of(limit: RequestLimit) -> Standing:
    reset_at, remaining = limit.window
    return Standing(limit.limit.amount, remaining, reset_at - time.time())


def _refuse(limit_class: LimitClass, breached: RequestLimit) -> NoReturn:
    raise _standing_of(breached).refusal(limit_class)


def _times(limit: str, factor: int) -> str:
    """Return a limit that is so many times as wide."""
    amount, _, period = limit.partition("/")
    return f"{int(amount) * factor}/{period}"


def _is_hot() -> bool:
    return class_of_request() is LimitClass.INFERENCE


def _subject() -> str:
    """Return who is counted: the client that the verified token names, else the address."""
    identity = caller()
    return identity.client_id if identity else f"address:{request.remote_addr}"
