"""How good secrets have to be: the signing key anywhere, all that anybody could guess in production."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from app.setting_rules import LEAST_SECRET, NO_SECRET

URLS: Final = ("database_url", "redis_url", "state_redis_url", "store_url", "jobs_url")
"""The settings that may hold a password; none of them appears where settings are printed."""

LEAST_PASSWORD: Final = 16
# Sixteen random hexadecimal digits have about ten different ones; of a password out of one's head there are fewer.
LEAST_LETTERS: Final = 8
# What manuals, examples and defaults say where a secret belongs.
_PLACEHOLDERS: Final = (
    "changeme", "change-me", "change_me", "change this", "change-this", "change_this", "example", "placeholder",
    "replace-me", "replace_me", "replaceme", "your-secret", "your_secret", "yoursecret", "password", "insecure",
    "to-be-set", "supersecret", "super-secret",
)  # fmt: skip

# There it would be seen wherever the URL is handed on, as to pg_dump, and held to no rule.
_MISPLACED: Final = "A password belongs before the host (scheme://user:password@host), not among the options."


def secret_problems(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what is wrong with the secrets among all settings, by variable. No sentence repeats any part of one."""
    key: str = values["jwt_secret"] or ""
    misplaced = {name.upper(): [_MISPLACED] for name in URLS if has_password_in_query(values.get(name) or "")}
    if len(key.encode()) < LEAST_SECRET:
        return {"JWT_SECRET": [NO_SECRET]} | _production_problems({**values, "jwt_secret": None}) | misplaced

    return _production_problems(values) | misplaced


def password_of(url: str) -> str:
    """Return the password in a URL, or nothing; of what is no URL nothing either."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def has_password_in_query(url: str) -> bool:
    """Say whether a URL has a password among its options, where some clients take one, too."""
    try:
        return "password" in parse_qs(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return False


def _production_problems(values: Mapping[str, Any]) -> dict[str, list[str]]:
    if values["environment"] != "production":
        return {}

    secrets = {"jwt_secret": values["jwt_secret"]} | {name: password_of(values.get(name) or "") for name in URLS}
    reasons = {name: _weakness(secret) for name, secret in secrets.items() if secret}
    return {name.upper(): [_sentence(name, reason)] for name, reason in reasons.items() if reason}


def _weakness(secret: str) -> str:
    if any(word in secret.lower() for word in _PLACEHOLDERS):
        return "is a placeholder"
    if len(secret) < LEAST_PASSWORD:
        return f"has fewer than {LEAST_PASSWORD} characters"

    return "repeats itself" if len(set(secret)) < LEAST_LETTERS else ""


def _sentence(name: str, reason: str) -> str:
    subject = "The password in it" if name in URLS else "It"
    return f"{subject} {reason}: production wants a random one, as `openssl rand -hex 32` makes it."
