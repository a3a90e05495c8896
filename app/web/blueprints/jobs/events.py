"""The progress of a job as server-sent events: its document, whenever that changed."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from flask import Response

from app.db.repositories.jobs import JobFacts, JobFilter
from app.errors import AccessError, DatabaseUnavailable, JobNotFound, TooManyFollowed
from app.web.api import GalleyBlueprint, problems
from app.web.auth import bearer_token, current_identity, requires
from app.web.blueprints.jobs.answers import JOBS_PATH, job_document
from app.web.blueprints.jobs.docs import EVENTS_EXAMPLE, streamed
from app.web.blueprints.jobs.visibility import READERS, find_visible, visible_to
from app.web.extensions import Services, services
from app.web.followed_answers import begun, current_followed_answers
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("job events", __name__, url_prefix=JOBS_PATH, description="Follow jobs while they run")

logger = logging.getLogger(__name__)

EVENT_STREAM: Final = "text/event-stream"
POLL_S: Final = 1.0
# A proxy that hears nothing for longer may think that nobody is there.
HEARTBEAT_S: Final = 15.0
HEARTBEAT: Final = b": still there\n\n"
# How long a client waits before it comes again when a stream broke off.
RETRY: Final = b"retry: 3000\n\n"


@blp.route("/<job_id>/events")
@problems(JobNotFound, TooManyFollowed)
@requires(*READERS)
@limited(LimitClass.MANAGEMENT)
@blp.doc(**streamed({}, {EVENT_STREAM: EVENTS_EXAMPLE}))
def follow_job(job_id: str) -> Response:
    """Follow a job as server-sent events, until it has ended.

    Event `progress` brings the job's document at once and whenever it changed, `end` the last one; then the stream
    ends. A stream that ends without that broke off: come again. It does when the token has expired.
    """
    job = find_visible(job_id)
    look = partial(_look, services(), bearer_token(), visible_to(current_identity()), job.id)
    answers = current_followed_answers()
    events = answers.followed(current_identity().client_id, events_of(look, answers.wait))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(begun(events), headers=headers, content_type=EVENT_STREAM)


def events_of(look: Callable[[], JobFacts], wait: Callable[[float], bool]) -> Iterator[bytes]:
    """Yield the events of a job that is looked at each POLL_S, for as long as `wait` says to go on.

    While SQL is away there is nothing to tell. A job that is deleted has ended, and nothing is known of it.
    """
    yield RETRY
    told, silent_s = b"", 0.0
    while True:
        try:
            job = look()
        except DatabaseUnavailable as err:
            logger.debug("a stream of events waits: %s", err.detail)
        except JobNotFound:
            yield _event("end", b"null")
            return
        except AccessError:
            return
        else:
            document = job_document(job)
            if document != told:
                yield _event("progress", document)
                told, silent_s = document, 0.0
            if job.state.is_final:
                yield _event("end", document)
                return

        if not wait(POLL_S):
            return
        silent_s += POLL_S
        if silent_s >= HEARTBEAT_S:
            yield HEARTBEAT
            silent_s = 0.0


def _look(live: Services, token: str, wanted: JobFilter, job_id: str) -> JobFacts:
    """Return the job as it is now, if the token that the stream was opened with is still good."""
    live.tokens.verify(token)
    return live.jobs.find(job_id, wanted)


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
