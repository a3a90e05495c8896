"""The course of a restore: check everything, then the store, then SQL, which names what is there by then."""

from contextlib import closing
from pathlib import Path

from app.db.migrate import knows, upgrade
from app.db.session import Database
from app.infra.job_files import JobFiles, open_job_files
from app.services.releases import ReleaseService
from app.settings import Settings
from deploy.backup.archive import BackupFacts, open_backup
from deploy.backup.database_dump import DUMP_FILE, DatabaseDump, dump_of, read_facts
from deploy.backup.errors import BackupError
from deploy.backup.job_folders import put_jobs_back
from deploy.backup.store_files import put_versions_back
from deploy.stack.checks import check_port
from deploy.stack.folders import only_stack
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore, open_store
from model_store.removal import mark_deleted


def restore_backup(backup: Path, settings: Settings, *, is_forced: bool = False) -> BackupFacts:
    """Bring back what a backup holds, to where the settings say; nothing may run there.

    With `is_forced`, what is there goes: SQL as a whole, of the store and of jobs what the backup has under the same
    name. Versions that the store has besides are recorded in SQL again.

    :raises BackupError: when the backup is damaged or does not fit, others use the place, or it is not empty;
        nothing is changed then.
    :raises CannotStart: when a stack runs there.
    """
    facts = open_backup(backup)
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    with only_stack(settings.var_dir):
        dump = dump_of(settings.database_url)
        store = open_store(settings.store_url, settings.var_dir / "store-cache")
        jobs = open_job_files(settings.jobs_url, settings.var_dir / "job-spool")
        _check_fits(facts, dump)
        _check_nobody_answers(settings)
        if not is_forced:
            _check_empty(dump, store, jobs)
        dump.check_free(backup / DUMP_FILE)
        put_versions_back(backup, [_ref(text) for text in facts.versions], store)
        put_jobs_back(backup, jobs)
        dump.put_back(backup / DUMP_FILE)
        _settle(settings, store)
    return facts


def _check_fits(facts: BackupFacts, dump: DatabaseDump) -> None:
    if facts.database != dump.kind:
        raise BackupError(f"The backup is of {facts.database}, and DATABASE_URL names {dump.kind}.")
    if facts.revision is not None and not knows(facts.revision):
        raise BackupError(
            f"The backup's schema {facts.revision} is unknown to this code; it was made by Galley {facts.galley}."
        )


def _check_nobody_answers(settings: Settings) -> None:
    """Parts that systemd or a container engine keeps up hold no lock of the folder, but their port."""
    problems = check_port(settings)
    if problems:
        raise BackupError(f"{problems[0]} Nothing may run where a backup is restored; end it first.")


def _check_empty(dump: DatabaseDump, store: ModelStore, jobs: JobFiles) -> None:
    full = {"the database": not dump.is_empty(), "the store": bool(store.refs()), "jobs": bool(jobs.job_ids())}
    taken = [name for name, is_full in full.items() if is_full]
    if taken:
        raise BackupError(f"There is something already ({', '.join(taken)}); --force lets it go.")


def _settle(settings: Settings, store: ModelStore) -> None:
    """Bring SQL to this code's schema, record versions that only the store has, and keep deleted numbers taken."""
    upgrade(settings.database_url)
    with closing(Database(settings.database_url)) as database:
        ReleaseService(database, store).adopt_store(by="restore")
        with database.read() as session:
            deleted = read_facts(session).deleted
    for ref in deleted:
        mark_deleted(store, ref)


def _ref(text: str) -> ModelRef:
    name, _, version = text.rpartition("/")
    return ModelRef(name, int(version))
