"""Tells the usage log of each limited request of a known client, however it ended."""

from flask import Flask, Response

from app.services.usage import UsageLog
from app.web.auth import caller
from app.web.limits import class_of_request
from app.web.request_context import RequestContext, current_context


def init_usage(app: Flask, log: UsageLog) -> None:
    """Note each limited request of `app` once its status stands."""

    def note(response: Response) -> Response:
        identity, limit_class = caller(), class_of_request()
        if identity and limit_class:
            note_usage(log, current_context(), identity.client_id, limit_class.value, response.status_code)
        return response

    app.after_request(note)


def note_usage(log: UsageLog, context: RequestContext, client_id: str, limit_class: str, status: int) -> None:
    """Note a request of a client that ended with `status`."""
    model = context.routed.ref.name if context.routed else ""
    log.note(client_id, limit_class, status, model, len(context.answered.rows) if context.answered else 0)
