"""A model's route: how its traffic splits among versions, and who gets which."""

from typing import Any

from app.db.repositories.routes import RouteFacts
from app.errors import InvalidFields, InvalidWeights, ModelNotAllowed, ModelNotFound, RouteNotFound, VersionNotFound
from app.services.allocation import BUCKETS
from app.services.route_draft import Override, RouteDraft, Variant
from app.services.route_table import RouteTable, Why
from app.services.routes import Explanation
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.models.traffic_schemas import (
    DRAFT_EXAMPLE,
    EXPLANATION_EXAMPLE,
    ROUTE_EXAMPLE,
    ExplainQuery,
    ExplanationSchema,
    RouteDraftSchema,
    RouteSchema,
)
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint(
    "traffic", __name__, url_prefix="/api/v1/models/<name>/route", description="How traffic splits among versions"
)


@blp.route("")
@problems(ModelNotAllowed, ModelNotFound, RouteNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, RouteSchema, example=ROUTE_EXAMPLE)
def show_route(name: str) -> dict[str, Any]:
    """Show a model's route. Without one, alias `default` answers all its callers."""
    check_model_allowed(name)
    return _members(services().routes.get(name))


@blp.route("", methods=["PUT"])
@problems(*BODY_PROBLEMS, InvalidFields, InvalidWeights, ModelNotAllowed, ModelNotFound)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(RouteDraftSchema, example=DRAFT_EXAMPLE)
@blp.response(200, RouteSchema, example=ROUTE_EXAMPLE)
def set_route(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """Split a model's traffic among variants.

    The route replaces the one there was, whole: within a second, and no request sees half of it. Subjects keep their
    variant when weights change, but for the share that must move. Requests that name a version are not routed.
    """
    check_model_allowed(name)
    draft = RouteDraft(
        variants=[Variant(**variant) for variant in fields["variants"]],
        overrides=[Override(**override) for override in fields["overrides"]],
        salt=fields["salt"],
    )
    return _members(services().routes.put(name, draft, by=current_identity().client_id))


@blp.route("", methods=["DELETE"])
@problems(ModelNotAllowed, ModelNotFound, RouteNotFound)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.response(204)
def delete_route(name: str) -> None:
    """Take a model's route away: alias `default` answers all its callers again."""
    check_model_allowed(name)
    services().routes.delete(name, by=current_identity().client_id)


@blp.route("/explain")
@problems(InvalidFields, ModelNotAllowed, ModelNotFound, RouteNotFound, VersionNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(ExplainQuery, location="query")
@blp.etag
@blp.response(200, ExplanationSchema, example=EXPLANATION_EXAMPLE)
def explain_route(query: dict[str, Any], name: str) -> dict[str, Any]:
    """Say which variant a subject or a client gets, and why."""
    check_model_allowed(name)
    client_id = current_identity().client_id if query["client"] is None else query["client"]
    return _explained(services().routes.explain(name, subject=query["subject"], client_id=client_id))


def _members(facts: RouteFacts) -> dict[str, Any]:
    return {
        **facts.document,
        "shares": RouteTable(facts).shares(),
        "revision": facts.revision,
        "updated_at": facts.updated_at,
        "updated_by": facts.updated_by,
    }


def _explained(explanation: Explanation) -> dict[str, Any]:
    return {
        "variant": explanation.choice.variant,
        "version": explanation.version,
        "why": explanation.choice.why,
        "detail": _sentence(explanation),
        "subject": explanation.subject,
        "client": explanation.client_id,
        "bucket": explanation.bucket,
        "revision": explanation.revision,
    }


def _sentence(explanation: Explanation) -> str:
    variant = explanation.choice.variant
    match explanation.choice.why:
        case Why.SUBJECT:
            return f"An override gives subject '{explanation.subject}' the variant '{variant}'."
        case Why.CLIENT:
            return f"An override gives client '{explanation.client_id}' the variant '{variant}'."
        case _:
            place = f"bucket {explanation.bucket} of {BUCKETS}"
            return f"Subject '{explanation.subject}' is in {place}, which variant '{variant}' has."
