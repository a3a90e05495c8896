"""Deleting versions, for good."""

from typing import Any

from app.errors import InvalidFields, ModelNotAllowed, ModelNotFound, StoreUnreachable, VersionInUse, VersionNotFound
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.models.retention_schemas import PLAN_EXAMPLE, RetentionPlanSchema, RetentionSchema
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("retention", __name__, url_prefix="/api/v1/models", description="Delete versions of models")


@blp.route("/<name>/versions/<version>", methods=["DELETE"])
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound, VersionInUse, StoreUnreachable)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.response(204)
def delete_version(name: str, version: str) -> None:
    """Delete a version that no alias, no route and no pin names.

    Its runners end and its files go. Its number is never given again.
    """
    check_model_allowed(name)
    ref = services().releases.find(name, version).ref
    services().retention.delete(ref, by=current_identity().client_id)


@blp.route("/<name>/retention", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidFields, ModelNotAllowed, ModelNotFound, StoreUnreachable)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(RetentionSchema, example={"keep": 3, "dry_run": True})
@blp.response(200, RetentionPlanSchema, example=PLAN_EXAMPLE)
def keep_newest(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Delete the old versions of a model: all but the newest `keep` and those that something names.

    Without `"dry_run": false` nothing is deleted: the answer says what would go, and why the others stay.
    """
    check_model_allowed(name)
    retention, keep, is_dry = services().retention, fields["keep"], fields["dry_run"]
    plan = (
        retention.plan(name, keep=keep) if is_dry else retention.prune(name, keep=keep, by=current_identity().client_id)
    )
    return {
        "name": plan.name,
        "dry_run": is_dry,
        "deleted": list(plan.goes),
        "kept": [{"version": version, "reasons": reasons} for version, reasons in plan.stays.items()],
    }
