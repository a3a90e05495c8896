"""Whether the stack serves, and what it still waits for."""

from app.settings import Settings
from deploy.stack.local_http import call


def unready_parts(settings: Settings) -> dict[str, str]:
    """Return what is not ready yet, with the reason; empty once `/health/ready` says so."""
    try:
        status, answer = call(settings, "GET", "/health/ready")
    except OSError:
        return {"web": "does not answer yet"}

    if status == 200:
        return {}

    parts = answer.get("parts", {})
    return {name: part.get("reason", "") for name, part in parts.items() if not part["ready"]}


def describe(parts: dict[str, str]) -> str:
    """Return one line about what is not ready."""
    return "; ".join(f"{name}: {reason}" if reason else name for name, reason in parts.items())
