"""Lets an inference begin, or refuses it, before its body is read: see app/inference/admission.py."""

import time
from typing import Final

from flask import Flask, g

from app.errors import DeadlineExceeded
from app.inference.admission import Admission
from app.web.auth import caller
from app.web.limits import LimitClass, class_of_request
from app.web.request_context import RequestContext, current_context

_PLACE: Final = "admitted_client"


def init_admission(app: Flask, admission: Admission) -> None:
    """Give each inference of `app` a place. Call it after `init_limits`: who is over its limit needs none."""

    def begin() -> None:
        identity = caller()
        if identity is None or class_of_request() is not LimitClass.INFERENCE:
            return

        take_place(admission, identity.client_id, current_context())
        setattr(g, _PLACE, identity.client_id)
        wait_turn(admission, identity.client_id, current_context())

    def end(_error: BaseException | None) -> None:
        client_id: str | None = g.pop(_PLACE, None)
        if client_id is not None:
            admission.leave(client_id, time.monotonic())

    app.before_request(begin)
    app.teardown_request(end)


def take_place(admission: Admission, client_id: str, context: RequestContext) -> None:
    """Take a place for a request; whoever got one gives it back by `admission.leave`.

    :raises ShareExceeded: when the client holds more than its share.
    :raises QueueFull: when there is no room, or it would begin too late.
    :raises DeadlineExceeded: when its time is over.
    """
    now = time.monotonic()
    left_s = context.deadline - now
    if left_s <= 0:
        raise DeadlineExceeded(context.limit_s)

    admission.enter(client_id, now, left_s=left_s)


def wait_turn(admission: Admission, client_id: str, context: RequestContext) -> None:
    """Wait until a request that has a place may begin.

    :raises DeadlineExceeded: when its time ran out meanwhile: a kept answer would still be at hand, and late.
    """
    admission.turns.wait(client_id)
    if time.monotonic() >= context.deadline:
        raise DeadlineExceeded(context.limit_s)
