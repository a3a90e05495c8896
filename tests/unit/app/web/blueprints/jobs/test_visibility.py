"""Who sees which jobs, and may end them."""

import pytest
from flask.testing import FlaskClient

from app.services.jobs import JobDraft
from tests.factories.job_posts import JOBS
from tests.factories.web import WebWorker


def make_jobs(worker: WebWorker, headers: dict[str, str]) -> dict[str, str]:
    """Make a job of each sort for the client of a token; return their ids by kind."""
    client_id = worker.services.tokens.verify(headers["Authorization"].removeprefix("Bearer ")).client_id
    drafts = [JobDraft(kind=kind, client_id=client_id, model_name="m") for kind in ("verification", "images")]
    return {draft.kind: worker.services.jobs.create(draft).id for draft in drafts}


@pytest.mark.parametrize(
    ("scopes", "seen", "ended"),
    [
        ({"jobs"}, {"verification", "images"}, {"verification", "images"}),
        ({"admin"}, {"verification", "images"}, {"verification", "images"}),
        ({"infer"}, {"images"}, {"images"}),
        ({"models:write"}, {"verification"}, {"verification"}),
        ({"models:read"}, {"verification"}, set()),
        ({"models:read", "infer"}, {"verification", "images"}, {"images"}),
    ],
)
def test_scopes_say_which_kinds(
    worker: WebWorker, client: FlaskClient, scopes: set[str], seen: set[str], ended: set[str]
) -> None:
    headers = worker.bearer(scopes=frozenset(scopes))
    jobs = make_jobs(worker, headers)
    make_jobs(worker, worker.bearer())

    listed = client.get(f"{JOBS}?page_size=500", headers=headers).json
    addresses = {kind: f"{JOBS}/{job_id}" for kind, job_id in jobs.items()}
    shown = {kind for kind, address in addresses.items() if client.get(address, headers=headers).status_code == 200}
    deleted = {
        kind for kind, address in addresses.items() if client.delete(address, headers=headers).status_code == 204
    }

    assert (shown, deleted) == (seen, ended)
    assert {job["kind"] for job in listed} == seen
    assert ("admin" in scopes) == (len(listed) > len(seen))


def test_kinds_that_are_not_seen_are_not_listed(worker: WebWorker, client: FlaskClient) -> None:
    headers = worker.bearer(scopes=frozenset({"infer"}))
    make_jobs(worker, headers)

    assert client.get(f"{JOBS}?kind=verification", headers=headers).json == []
    assert [job["kind"] for job in client.get(f"{JOBS}?kind=images", headers=headers).json] == ["images"]
