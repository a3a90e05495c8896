"""The disk of jobs is short of its reserve: clients are told, what they posted before waits, and nothing is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.db.repositories.jobs import JobState
from app.factory import create_app
from app.infra.task_names import TaskName
from app.services.clients import ClientDraft
from app.services.scopes import ALL_SCOPES
from app.web.extensions import Services, services_of
from tests.factories.job_posts import JOBS, file_body
from tests.factories.job_stand import PATIENT_S, ROWS, JobStand, standing, tensor_rows, undisturbed, working
from tests.factories.small_disk import small_disk
from tests.factories.waiting import wait_until

__all__ = ["undisturbed"]

pytestmark = pytest.mark.long

MIB = 2**20
CLIENTS = ("ann", "bob")
VOID_TICKETS = 20


@contextmanager
def web_of(stand: JobStand) -> Iterator[tuple[FlaskClient, Services]]:
    """Run a web worker before the stand's folder."""
    app = create_app(stand.parts.settings)
    services = services_of(app)
    services.routing.refresh()
    try:
        yield app.test_client(), services
    finally:
        services.close()


class Poster:
    """A client that posts the rows over and over."""

    def __init__(self, web: FlaskClient, services: Services, client_id: str) -> None:
        self._web = web
        issued = services.clients.create(ClientDraft(client_id=client_id, scopes=ALL_SCOPES), by="test")
        token = services.tokens.issue(client_id, issued.secret).access_token
        self._headers = {"Authorization": f"Bearer {token}"}

    def post(self) -> TestResponse:
        """Post them once."""
        return self._web.post(JOBS, headers=self._headers, **file_body(tensor_rows(), kind="tensor", model=b"grinds"))


def is_short_told(stand: JobStand, log: str) -> bool:
    """Have tickets sent, and say whether so many of them were told that the disk is short."""
    stand.parts.tasks.send(TaskName.RUN_CHUNK)
    return log.count('"result":"the disk is short"') >= VOID_TICKETS


def test_short_disk_refuses_new_jobs_and_lets_the_others_wait(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    with (
        small_disk(tmp_path / "disk", "8m") as disk,
        standing(tmp_path, jobs_dir=disk.folder, reserve_bytes=4 * MIB, lease_s=PATIENT_S) as stand,
        web_of(stand) as (web, services),
        working(stand) as worker,
    ):
        posters = [Poster(web, services, client) for client in CLIENTS]
        posted = [poster.post() for poster in posters]
        assert [answer.status_code for answer in posted] == [202, 202]
        jobs = [str(answer.json["id"]) for answer in posted if answer.json]
        for job_id in jobs:
            stand.wait_for_work(job_id, 3)

        ballast = disk.folder / "ballast"
        ballast.write_bytes(bytes(5 * MIB))
        wait_until(lambda: is_short_told(stand, worker.log()), timeout_s=60)
        waiting = [stand.job(job_id) for job_id in jobs]
        refused = [poster.post() for poster in posters]
        wait_until(lambda: is_short_told(stand, worker.log()), timeout_s=60)

        assert [(answer.status_code, (answer.json or {})["code"]) for answer in refused] == [(503, "disk_full")] * 2
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert [(job.state, 0 < job.done < ROWS) for job in waiting] == [(JobState.RUNNING, True)] * 2
        assert [stand.job(job_id).done for job_id in jobs] == [job.done for job in waiting]

        ballast.unlink()
        for job_id in jobs:
            job = stand.wait_for_end(job_id)
            assert (job.state, job.done) == (JobState.SUCCEEDED, ROWS)
            assert stand.output(job_id) == undisturbed
            assert {(chunk.attempt, chunk.losses) for chunk in stand.chunks(job_id)} == {(1, 0)}
        assert posters[0].post().status_code == 202
