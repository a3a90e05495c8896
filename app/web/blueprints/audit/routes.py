"""Who changed what, for admins."""

from typing import Any

from flask_smorest.pagination import PaginationParameters

from app.db.repositories.audit import AuditEntry, AuditFilter
from app.errors import InvalidFields
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import requires
from app.web.blueprints.audit.schemas import ENTRY_EXAMPLE, AuditEntrySchema, AuditQuery
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("audit", __name__, url_prefix="/api/v1/audit", description="Who changed what")


@blp.route("")
@problems(InvalidFields)
@requires(Scope.ADMIN)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(AuditQuery, location="query")
@blp.response(200, AuditEntrySchema(many=True), example=[ENTRY_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def list_entries(query: dict[str, Any], pagination_parameters: PaginationParameters) -> list[AuditEntry]:
    """List the changes that anybody made, the newest first. Nobody can change or delete an entry."""
    query["target_prefix"] = query.pop("target")
    wanted, audit = AuditFilter(**query), services().audit
    pagination_parameters.item_count = audit.count(wanted)
    if pagination_parameters.first_item >= pagination_parameters.item_count:
        # Not asked of SQL, which counts to 2**63 only.
        return []

    return audit.entries(wanted, offset=pagination_parameters.first_item, limit=pagination_parameters.page_size)
