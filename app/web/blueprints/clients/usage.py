"""What clients use, for themselves and for admins."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import ClientNotFound, InsufficientScope, InvalidFields, RedisUnavailable
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import current_identity, requires
from app.web.blueprints.clients.usage_schemas import USAGE_EXAMPLE, UsageQuerySchema, UsageSchema
from app.web.extensions import services
from app.web.limits import Standing, current_limits, limited

blp = GalleyBlueprint("usage", __name__, url_prefix="/api/v1/clients", description="What clients use of their limits")


@blp.route("/<client_id>/usage")
@problems(InvalidFields, ClientNotFound, RedisUnavailable)
@requires(*Scope)
@limited("management")
@blp.arguments(UsageQuerySchema, location="query")
@blp.response(200, UsageSchema, example=USAGE_EXAMPLE)
def show_usage(query: dict[str, Any], client_id: str) -> dict[str, Any]:
    """Tell where a client stands within its limits, and what it asked for by day.

    Admins may ask about any client, others about themselves. Days are those of UTC, the newest first; those without a
    request are left out. What web workers counted within the last second may be missing.
    """
    identity = current_identity()
    if client_id != identity.client_id:
        if Scope.ADMIN not in identity.scopes:
            raise InsufficientScope(Scope.ADMIN)
        services().clients.get(client_id)

    standings = current_limits().standings(client_id)
    return {
        "client_id": client_id,
        "limits": {limit_class: _limit_members(standing) for limit_class, standing in standings.items()},
        "days": services().usage.days(client_id, count=query["days"]),
    }


def _limit_members(standing: Standing) -> dict[str, Any]:
    resets_at = datetime.now(UTC) + timedelta(seconds=standing.reset_after_s) if standing.reset_after_s else None
    used = standing.amount - standing.remaining
    return {"limit": standing.amount, "used": used, "remaining": standing.remaining, "resets_at": resets_at}
