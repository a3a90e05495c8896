"""What is noted of each event of a session: metrics, the client's usage, and the readout of the route that chose."""

from http import HTTPStatus

from app.errors import GalleyError
from app.services.assignment_batches import Assignment, Ending
from app.services.assignments import AssignmentLog
from app.services.stream_sessions import StreamSession
from app.services.usage import UsageLog
from app.web.error_handlers import status_of
from app.web.limits import LimitClass
from app.web.sockets.metrics import EVENT_SECONDS, EVENTS

GOOD = "ok"


class Journal:
    """Notes the events of one session."""

    def __init__(self, session: StreamSession, usage: UsageLog, assignments: AssignmentLog) -> None:
        self._session = session
        self._usage = usage
        self._assignments = assignments
        self._good = EVENTS.labels(session.facts.stream, GOOD)
        self._seconds = EVENT_SECONDS.labels(session.facts.stream)
        self.events = 0
        """How many were answered, well or not."""

    def turn_away(self, error: GalleyError) -> None:
        """Note that an event was not taken in."""
        EVENTS.labels(self._session.facts.stream, error.code).inc()

    def note(self, seq: int, seconds: float, error: GalleyError | None = None) -> None:
        """Note that an event was answered so many seconds after it came."""
        facts = self._session.facts
        status = HTTPStatus.OK if error is None else status_of(type(error))
        self.events += 1
        self._seconds.observe(seconds)
        (self._good if error is None else EVENTS.labels(facts.stream, error.code)).inc()
        self._usage.note(facts.client_id, LimitClass.EVENTS, status, facts.model, int(error is None))
        if facts.variant is not None and facts.revision is not None:
            self._assignments.note(
                Assignment(
                    model_name=facts.model,
                    revision=facts.revision,
                    variant=facts.variant,
                    version=facts.version,
                    subject=facts.subject,
                    request_id=f"{self._session.id}:{seq}",
                    ending=Ending.of_status(status),
                    seconds=seconds,
                    is_dealt=facts.is_dealt,
                )
            )
