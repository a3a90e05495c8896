"""What a token may be used for."""

import enum

from app.errors import InvalidFields


class Scope(enum.StrEnum):
    """Every scope a client can hold."""

    INFER = "infer"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    JOBS = "jobs"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


def check_scopes(scopes: frozenset[str]) -> frozenset[str]:
    """Return `scopes` if each of them exists and there is at least one.

    :raises InvalidFields: otherwise.
    """
    unknown = sorted(scopes - ALL_SCOPES)
    if unknown:
        raise InvalidFields(
            {"scopes": [f"Unknown scope '{scope}'; choose from {scope_text(ALL_SCOPES)}." for scope in unknown]}
        )
    if not scopes:
        raise InvalidFields({"scopes": [f"Name at least one scope of {scope_text(ALL_SCOPES)}."]})

    return scopes


def scope_text(scopes: frozenset[str] | frozenset[Scope]) -> str:
    """Write scopes as OAuth does: sorted, with spaces between."""
    return " ".join(sorted(scopes))
