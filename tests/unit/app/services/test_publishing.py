"""An upload that was accepted is a job with all that its worker needs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.repositories.jobs import JobFacts
from app.errors import InvalidFields, InvalidName, UploadLost, VersionExists
from app.services.jobs import JobService
from app.services.publishing import PublishingService, Submission
from app.services.quarantine import quarantine_of
from app.services.releases import ReleaseService
from tests.factories.database import make_database
from tests.factories.uploads import MANIFEST
from tests.factories.versions import accept, make_draft, make_store


class Bench:
    """A publishing service with a database, a store and a quarantine of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = make_database(folder)
        self.sent: list[str] = []
        self.jobs = JobService(self.database, lambda _task, job_id: self.sent.append(job_id))
        self.quarantine = quarantine_of(folder)
        self.publishing = PublishingService(self.database, self.jobs, self.quarantine)
        self.releases = ReleaseService(self.database, make_store(folder))

    def submit(self, manifest: bytes = MANIFEST, *, name: str = "tiny", alias: str | None = None) -> JobFacts:
        """Upload an artifact and an asset."""
        with self.publishing.receiving(name) as (job_id, folder):
            (folder / "model.pt").write_bytes(b"weights")
            (folder / "assets").mkdir()
            (folder / "assets" / "terms.txt").write_text("one")
            return self.publishing.accept(
                Submission(job_id=job_id, client_id="checkout", model_name=name, manifest=manifest, alias=alias)
            )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.database.close()


def test_accepted_upload_is_a_job_that_was_sent(bench: Bench) -> None:
    job = bench.submit(alias="stable")

    assert bench.sent == [job.id]
    assert (job.kind, job.client_id, job.model_name, job.version) == ("verification", "checkout", "tiny", None)
    assert job.parameters == {"alias": "stable", "pin": False}


def test_worker_finds_the_draft(bench: Bench) -> None:
    draft = bench.publishing.draft(bench.submit())

    assert (draft.name, draft.version, draft.manifest.max_batch_size, draft.samples) == ("tiny", None, 8, None)
    assert draft.artifact.read_bytes() == b"weights"
    assert [(name, path.read_text()) for name, path in draft.assets.items()] == [("terms.txt", "one")]


def test_draft_of_another_machine_is_lost(bench: Bench) -> None:
    job = bench.submit()
    bench.publishing.forget(job.id)

    with pytest.raises(UploadLost):
        bench.publishing.draft(job)


def test_version_of_the_manifest_is_taken_once(bench: Bench) -> None:
    bench.releases.release(make_draft(bench.folder, version=3), prove=accept, by="test")

    assert bench.submit(MANIFEST.replace(b"{", b'{"version": 4, ', 1)).version == 4
    with pytest.raises(VersionExists):
        bench.submit(MANIFEST.replace(b"{", b'{"version": 3, ', 1))


def test_number_that_another_job_is_to_take_is_taken(bench: Bench) -> None:
    """Else the later of two would wait for its verification to hear the same."""
    third = MANIFEST.replace(b"{", b'{"version": 3, ', 1)
    first = bench.submit(third)

    with pytest.raises(VersionExists, match="is being published"):
        bench.submit(third)
    assert bench.submit(third, name="other").version == 3
    assert bench.submit().version is None
    assert [folder.name for folder in bench.quarantine.root.iterdir() if folder.name == first.id] == [first.id]
    assert len(list(bench.quarantine.root.iterdir())) == 3

    bench.jobs.delete(first.id)
    assert bench.submit(third).version == 3


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b'{"name": "other"}', b'{"version": 2147483648}', b'{"max_batch_size": 0}']
)
def test_bad_manifest_is_refused_and_nothing_stays(bench: Bench, manifest: bytes) -> None:
    with pytest.raises(InvalidFields) as caught:
        bench.submit(manifest)

    assert list(caught.value.errors) == ["manifest"]
    assert (list(bench.quarantine.root.iterdir()), bench.sent) == ([], [])


def test_bad_names_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidName):
        bench.submit(name="../up")
    with pytest.raises(InvalidFields):
        bench.submit(alias="7")


def test_sweep_spares_what_a_job_waits_for(bench: Bench) -> None:
    waiting, ended = bench.submit(), bench.submit()
    bench.jobs.delete(ended.id)

    assert bench.publishing.sweep(older_than_s=-10) == 1
    assert bench.quarantine.folder(waiting.id).is_dir()
