"""Tells the assignment log of each request that a variant of a route took, however it ended."""

from flask import Flask, Response

from app.services.assignment_batches import Assignment, Ending
from app.services.assignments import AssignmentLog
from app.services.route_table import Why
from app.web.request_context import RequestContext, current_context


def init_assignments(app: Flask, log: AssignmentLog) -> None:
    """Note each routed request of `app` once its status stands."""

    def note(response: Response) -> Response:
        note_assignment(log, current_context(), response.status_code)
        return response

    app.after_request(note)


def note_assignment(log: AssignmentLog, context: RequestContext, status: int) -> None:
    """Note a request that ended with `status`, if a route chose for it."""
    routed = context.routed
    if routed is None or routed.variant is None or routed.revision is None:
        return

    log.note(
        Assignment(
            model_name=routed.ref.name,
            revision=routed.revision,
            variant=routed.variant,
            version=routed.ref.version,
            subject=context.subject,
            request_id=context.request_id,
            ending=Ending.of_status(status),
            seconds=context.elapsed_s(),
            is_dealt=routed.why is Why.BUCKET,
        )
    )
