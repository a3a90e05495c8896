"""What is made before the first process starts, in the order in which one thing needs the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.settings import Settings, SettingsError, read_settings, read_var_dir, secret_to_make
from deploy.stack.checks import check_name, check_port, check_python, check_redis, check_store, check_writable
from deploy.stack.errors import CannotStart
from deploy.stack.folders import clear_metrics, make_folders, only_stack, write_secret


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
            secret = secret_to_make()
            if secret is not None:
                write_secret(secret)
        settings = _read_settings()
        _demand(check_port(settings) + check_redis(settings) + check_store(settings))
        with _writing():
            make_folders(settings)
            clear_metrics(settings)
        yield Prepared(settings=settings, lock=lock)


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
