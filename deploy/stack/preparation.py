"""What is made before the first process starts, in the order in which one thing needs the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.secret_file import secret_to_make
from app.setting_rules import SettingsError
from app.settings import Settings, read_settings, read_var_dir
from deploy.stack.checks import check_name, check_port, check_python, check_redis, check_store, check_writable
from deploy.stack.database import prepare_database
from deploy.stack.errors import CannotStart
from deploy.stack.folders import (
    clear_metrics,
    drop_metrics_of_earlier_boots,
    make_folders,
    make_metrics_folders,
    only_stack,
    write_secret,
)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A folder that is ready for its servers, and the descriptor of the lock on it."""

    settings: Settings
    lock: int


@contextmanager
def prepared_folder() -> Iterator[Prepared]:
    """Check the machine and the settings, lock `var_dir`, make what belongs in it.

    :raises CannotStart: naming everything that is wrong.
    """
    var_dir = read_var_dir()
    _demand(check_python() + check_name(var_dir) + check_writable(var_dir))
    with only_stack(var_dir) as lock:
        with _writing():
            secret = secret_to_make(var_dir)
            if secret is not None:
                write_secret(secret)
        settings = _read_settings()
        _demand(check_port(settings) + check_redis(settings) + check_store(settings))
        with _writing():
            make_folders(settings)
            clear_metrics(settings)
        yield Prepared(settings=settings, lock=lock)


def prepare_services() -> None:
    """Make what the parts expect where not the launcher starts them: folders, the newest schema, the first client.

    Parts may be alive. Nothing is made up: the settings name all secrets.

    :raises CannotStart: naming what is wrong.
    """
    settings = _read_settings()
    with _writing():
        make_folders(settings)
        drop_metrics_of_earlier_boots(settings)
        make_metrics_folders(settings)
    prepare_database(settings)


@contextmanager
def _writing() -> Iterator[None]:
    """Name what is in the way inside a folder that can be written to: a file, or somebody else's folder."""
    try:
        yield
    except OSError as err:
        raise CannotStart(f"Cannot write to {err.filename} ({err.strerror}); move it away, or set VAR_DIR.") from err


def _read_settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as err:
        raise CannotStart(str(err)) from err


def _demand(problems: list[str]) -> None:
    if problems:
        raise CannotStart("\n".join(problems))
