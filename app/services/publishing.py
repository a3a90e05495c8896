"""Publishing over HTTP: an upload lies in quarantine, a job proves it, and it becomes a version.

The job's row is the promise: once it stands, the upload is verified, whatever becomes of workers and broker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.db.repositories.jobs import JobFacts
from app.db.repositories.removals import RemovalRepository
from app.db.session import Database
from app.errors import InvalidFields, InvalidManifest, InvalidName, UploadLost, VersionExists
from app.infra.disk import disk_errors
from app.infra.off_hub import off_hub
from app.services.jobs import VERIFICATION, JobDraft, JobService, new_job_id
from app.services.quarantine import Quarantine
from model_store.files import replace_bytes, sync_tree
from model_store.layout import ASSETS_FOLDER
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, SAMPLES_FILE, Manifest, decode_draft
from model_store.model_ref import ModelRef, check_alias, check_model_name
from model_store.publisher import VersionDraft


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a client asks for: an upload that lies in quarantine under `job_id` is to become a version."""

    job_id: str
    client_id: str
    model_name: str
    manifest: bytes
    alias: str | None = None
    pin: bool = False
    token_issued_at: float | None = None
    """When the client got the token by which it uploads; None where it does by none."""


class PublishingService:
    """Takes uploads in, and hands them to their jobs. Share it between threads or greenlets."""

    def __init__(self, database: Database, jobs: JobService, quarantine: Quarantine) -> None:
        self._database = database
        self._jobs = jobs
        self._quarantine = quarantine

    @contextmanager
    def receiving(self, model_name: str) -> Iterator[tuple[str, Path]]:
        """Open a folder for an upload, under the id that its job will have; if the block raises, it goes again.

        :raises InvalidName: when no model can be called so.
        :raises DiskFull: when there is no room even for a folder.
        """
        check_model_name(model_name)
        job_id = new_job_id()
        with self._quarantine.receiving(job_id) as folder:
            yield job_id, folder

    def accept(self, submission: Submission) -> JobFacts:
        """Make an upload the job of whoever verifies it next.

        :raises InvalidFields: when the manifest is unreadable, contradicts itself or names another model.
        :raises VersionExists: when the version it names is taken, or is to be by a job that has not ended.
        :raises RevokedToken: when the client was deleted while it sent the upload.
        """
        manifest = _read_manifest(submission)
        _check_alias(submission.alias)
        if manifest.version:
            self._check_free(ModelRef(submission.model_name, manifest.version))
        with disk_errors():
            off_hub(_write_manifest, self._quarantine.folder(submission.job_id), submission.manifest)
        return self._jobs.create(
            JobDraft(
                id=submission.job_id,
                kind=VERIFICATION,
                client_id=submission.client_id,
                model_name=submission.model_name,
                version=manifest.version or None,
                parameters={"alias": submission.alias, "pin": submission.pin},
                token_issued_at=submission.token_issued_at,
            )
        )

    def draft(self, job: JobFacts) -> VersionDraft:
        """Return what a job is to publish.

        :raises UploadLost: when its upload is not on this machine.
        """
        folder = self._quarantine.folder(job.id)
        if not (folder / MANIFEST_FILE).is_file():
            raise UploadLost

        samples, assets = folder / SAMPLES_FILE, folder / ASSETS_FOLDER
        return VersionDraft(
            name=job.model_name,
            version=job.version,
            manifest=decode_draft((folder / MANIFEST_FILE).read_bytes()),
            artifact=folder / ARTIFACT_FILE,
            samples=samples.read_bytes() if samples.is_file() else None,
            assets={path.relative_to(assets).as_posix(): path for path in assets.rglob("*") if path.is_file()},
            job=job.id,
        )

    def forget(self, job_id: str) -> None:
        """Remove the upload of a job that has ended."""
        self._quarantine.remove(job_id)

    def sweep(self, *, older_than_s: float) -> int:
        """Remove uploads that no job waits for and nobody added to for so long; return how many."""
        return self._quarantine.sweep(self._jobs.unfinished_ids(), older_than_s=older_than_s)

    def _check_free(self, ref: ModelRef) -> None:
        with self._database.read() as session:
            numbers = RemovalRepository(session).numbers(ref.name)
        if ref.version in numbers:
            is_deleted = numbers[ref.version]
            why = "was deleted, and its number is never given again" if is_deleted else "is already published"
            raise VersionExists(ref.name, ref.version, why=why)


def _read_manifest(submission: Submission) -> Manifest:
    try:
        manifest = decode_draft(submission.manifest)
        if manifest.name not in ("", submission.model_name):
            raise InvalidManifest(f"The manifest is of the model '{manifest.name}', not of '{submission.model_name}'.")
        if manifest.version:
            ModelRef(submission.model_name, manifest.version)
    except (InvalidManifest, InvalidName) as err:
        raise InvalidFields({"manifest": [err.detail]}) from err

    return manifest


def _check_alias(alias: str | None) -> None:
    try:
        if alias is not None:
            check_alias(alias)
    except InvalidName as err:
        raise InvalidFields({"alias": [err.detail]}) from err


def _write_manifest(folder: Path, manifest: bytes) -> None:
    replace_bytes(folder / MANIFEST_FILE, manifest)
    sync_tree(folder)
