"""Who follows a job is shown it, or told that it is as it was."""

from http import HTTPStatus

import pytest

from app.db.repositories.jobs import JobFacts
from app.errors import JobNotFound
from app.services.jobs import JobDraft
from app.services.scopes import Scope
from app.services.tokens import Identity
from app.web.blueprints.jobs.answers import job_document
from app.web.blueprints.jobs.polls import answer_poll
from tests.factories.web import WebWorker


@pytest.fixture
def job(worker: WebWorker) -> JobFacts:
    return worker.services.jobs.create(JobDraft(kind="images", client_id="ann", model_name="digits"))


def identity(client_id: str, *scopes: Scope) -> Identity:
    return Identity(
        client_id=client_id,
        scopes=frozenset(scopes),
        model_globs=("*",),
        token_id="one",
        issued_at=0.0,
        expires_at=2**31,
    )


@pytest.mark.parametrize("caller", [identity("ann", Scope.INFER), identity("root", Scope.ADMIN)])
def test_a_job_is_shown_with_its_tag(worker: WebWorker, job: JobFacts, caller: Identity) -> None:
    shown = answer_poll(worker.services, caller, job.id, {})
    again = answer_poll(worker.services, caller, job.id, {"HTTP_IF_NONE_MATCH": shown.headers["ETag"]})

    assert shown.body == job_document(job)
    assert (shown.status, again.status, again.body) == (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED, b"")


@pytest.mark.parametrize("caller", [identity("bob", Scope.JOBS), identity("ann", Scope.MODELS_READ)])
def test_who_may_not_see_it_learns_nothing(worker: WebWorker, job: JobFacts, caller: Identity) -> None:
    with pytest.raises(JobNotFound):
        answer_poll(worker.services, caller, job.id, {})
