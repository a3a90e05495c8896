"""Polls: a job's document, for whoever follows it."""

from typing import Any

from app.services.tokens import Identity
from app.web.answers import Answer, unless_known
from app.web.blueprints.jobs.answers import job_document
from app.web.blueprints.jobs.visibility import visible_to
from app.web.extensions import Services


def answer_poll(services: Services, identity: Identity, job_id: str, environ: dict[str, Any]) -> Answer:
    """Show a job to a caller that may see it; with 304 one that it has seen like this.

    :raises JobNotFound: otherwise.
    :raises PreconditionFailed: when the caller wants it as it is not (`If-Match`).
    """
    return unless_known(Answer(job_document(services.jobs.find(job_id, visible_to(identity)))), environ)
