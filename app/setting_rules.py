"""What a setting may be: rules for values of the environment, and the words for those that break one."""

from typing import Final
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError, validate

# The task that waits for a verification is ended within the hour, and has to start and to publish besides.
LONGEST_VERIFICATION_S: Final = 3300.0

# As many users may be asked for at once: a queue with less room would refuse such a call whenever it comes.
MOST_ROWS_OF_A_REQUEST = 256
# The answers to so many pieces of a text are kept: as many as a client may have to send again.
MOST_CREDITS: Final = 1024
# HS256 is as strong as its key, up to 32 bytes.
LEAST_SECRET = 32
NO_SECRET = (
    f"Set it, or JWT_SECRET_FILE to a file that holds it: at least {LEAST_SECRET} bytes. "
    "`make run` makes one up, for development only."
)

positive = validate.Range(min=0, min_inclusive=False)
not_negative = validate.Range(min=0)
credit_count = validate.Range(min=1, max=MOST_CREDITS)
# A hello with its token has to fit; and a frame is read as a whole.
frame_size = validate.Range(min=4096, max=16 * 2**20)
verification_time = validate.Range(min=0, max=LONGEST_VERIFICATION_S, min_inclusive=False)
_database_scheme = validate.Regexp(
    r"(sqlite|postgresql\+psycopg)://", error="Write sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
)
_redis_scheme = validate.Regexp(r"(redis|rediss|unix)://", error="Write redis://HOST, rediss://HOST or unix://PATH.")
origin = validate.Regexp(r"(\*|https?://[^/\s]+)\Z", error="Write origins like https://console.example, or * for all.")
rate_limit = validate.Regexp(
    r"[1-9]\d{0,8}/(second|minute|hour|day)\Z", error="Write a rate limit as amount/second, /minute, /hour or /day."
)


def database_url(value: str) -> None:
    """Refuse what is no URL of a database that Galley knows."""
    _database_scheme(value)
    _check_url(value)


def redis_url(value: str) -> None:
    """Refuse what is no URL of a Redis."""
    _redis_scheme(value)
    _check_url(value)


def _check_url(value: str) -> None:
    """Refuse what cannot be taken apart: the drivers would say so later, with a piece of the password in it."""
    try:
        urlsplit(value).port  # noqa: B018 - it is read to see whether that fails
    except ValueError as err:
        raise ValidationError("It cannot be read; write / # ? @ : of a password as %2F %23 %3F %40 %3A.") from err


def origins(values: list[str]) -> None:
    """Refuse a list in which one is no origin: browsers compare them as they are written, to the last slash."""
    for value in values:
        origin(value)


class SettingsError(Exception):
    """One or more settings do not parse; the message lists every one of them."""


def problems_of(env: Env) -> dict[str, list[str]]:
    """Return what is wrong with each variable that was read."""
    try:
        env.seal()
    except EnvValidationError as err:
        messages = err.error_messages
        return dict(messages) if isinstance(messages, dict) else {"environment": [str(messages)]}

    return {}


def sentences(problems: dict[str, list[str]]) -> str:
    """Return what is wrong, a line for each variable."""
    lines = [f"  {name}: {' '.join(map(str, texts))}" for name, texts in sorted(problems.items())]
    return "These settings are wrong:\n" + "\n".join(lines)
