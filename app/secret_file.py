"""Settings that may hold a secret: from their variable, or from the file that `NAME_FILE` names; never from both.

Container engines and systemd hand secrets over as files, which no list of processes and no child shows.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from environs import Env, ValidationError

from app.secret_rules import URLS
from app.settings_file import open_environment

Rule = Callable[[Any], Any]


def secret_setting(env: Env, name: str, default: str = "", *, rule: Rule | None = None) -> str:
    """Return a setting; what is wrong with it, `env` will tell by the name of the variable that is to blame."""
    file_name = f"{name}_FILE"
    if not env.str(file_name, ""):
        return env.str(name, default, validate=rule)

    is_alone = not env.str(name, "")
    path = env.str(file_name, validate=partial(_check_file, name=name, rule=rule, is_alone=is_alone))
    return _content(path) if path else default


def signing_key(env: Env, var_dir: Path) -> str:
    """Return the key that signs tokens: one that was given, or in development the one that was made up here."""
    return secret_setting(env, "JWT_SECRET") or _made_up(env, var_dir)


def secret_to_make(var_dir: Path) -> Path | None:
    """Return the file that still lacks a signing key, if Galley may make one up; production brings its own."""
    env = open_environment()
    path = _made_up_path(var_dir)
    is_given = any(env.str(name, "") for name in ("JWT_SECRET", "JWT_SECRET_FILE"))
    return None if is_given or path.exists() or _is_production(env) else path


def _check_file(path: str, *, name: str, rule: Rule | None, is_alone: bool) -> None:
    if not is_alone:
        raise ValidationError(f"Set it or {name}, not both.")

    try:
        content = _content(path)
    except (OSError, UnicodeDecodeError) as err:
        raise ValidationError(f"The file {path} cannot be read ({getattr(err, 'strerror', '') or 'no text'}).") from err
    if not content:
        raise ValidationError(f"The file {path} is empty.")
    if rule is not None:
        rule(content)


def _content(path: str) -> str:
    return Path(path).read_text("utf-8").strip()


def _made_up(env: Env, var_dir: Path) -> str:
    path = _made_up_path(var_dir)
    return path.read_text("utf-8").strip() if path.is_file() and not _is_production(env) else ""


def _made_up_path(var_dir: Path) -> Path:
    return var_dir / "secrets" / "jwt_secret"


def _is_production(env: Env) -> bool:
    return env.str("ENVIRONMENT", "development") == "production"


def secret_files() -> list[Path]:
    """Return the files that the environment names as those of secrets, whether they are there or not."""
    env = open_environment()
    names = ("JWT_SECRET", *(name.upper() for name in URLS))
    return [Path(path) for name in names if (path := env.str(f"{name}_FILE", ""))]
