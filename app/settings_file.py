"""Settings in a file, so that a running stack can be given others: a process's environment is as old as the process."""

from pathlib import Path

from dotenv import dotenv_values
from environs import Env

from app.setting_rules import SettingsError


class SettingsEnv(Env):
    """Takes a file's values as they stand: by itself environs puts variables in for `${NAME}`, also within secrets."""

    def _load_dotenv(self, path: str | Path, *, override: bool = False) -> None:
        lines = dotenv_values(path, interpolate=False)
        found = {name: value for name, value in lines.items() if value is not None}
        self._environ = self._environ | found if override else found | self._environ


def open_environment(*, is_eager: bool = True) -> Env:
    """Return the environment, and behind it the lines `NAME=value` of the file that SETTINGS_FILE names.

    A value ends before ` #`. In single quotes all stands for itself; in double quotes backslashes are read as in C.

    :raises SettingsError: when the file cannot be read.
    """
    env = SettingsEnv(eager=is_eager)
    path = env.str("SETTINGS_FILE", "")
    if not path:
        return env

    try:
        # environs passes over a file that is not there.
        Path(path).read_text(encoding="utf-8")
        env.read_env(path, recurse=False)
    except (OSError, UnicodeDecodeError) as err:
        reason = getattr(err, "strerror", "") or "no text"
        raise SettingsError(f"SETTINGS_FILE: the file {path} cannot be read ({reason}).") from err

    return env
