"""The database, brought to the newest schema and given its first client."""

from app.db.migrate import upgrade
from app.db.session import Database
from app.errors import DatabaseUnavailable
from app.services.catalog import DesiredVersion, desired_versions, read_catalog
from app.services.clients import ClientService
from app.settings import Settings
from deploy.stack.console import say
from deploy.stack.errors import CannotStart


def prepare_database(settings: Settings) -> None:
    """Migrate, then make the first admin client where there is no client yet.

    :raises CannotStart: when the database does not answer.
    """
    database = Database(settings.database_url)
    try:
        upgrade(settings.database_url)
        _make_admin(settings, database)
    except DatabaseUnavailable as err:
        raise CannotStart(f"The database at DATABASE_URL does not answer: {err.__cause__}") from err
    finally:
        database.close()


def read_named_versions(settings: Settings) -> set[DesiredVersion]:
    """Return the versions that are to run as SQL has it now, whether anybody calls them or not.

    :raises CannotStart: when the database does not answer.
    """
    database = Database(settings.database_url)
    try:
        with database.snapshot() as session:
            return set(desired_versions(read_catalog(session)))
    except DatabaseUnavailable as err:
        raise CannotStart(f"The database at DATABASE_URL does not answer: {err.__cause__}") from err
    finally:
        database.close()


def _make_admin(settings: Settings, database: Database) -> None:
    path = settings.var_dir / "admin.env"
    if ClientService(settings, database).ensure_first_admin(path):
        say(f"Wrote the first admin client to {path}.")
