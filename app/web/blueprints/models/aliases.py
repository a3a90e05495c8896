"""Aliases of a model: read, moved, deleted, and their history."""

from typing import Any

from flask_smorest.pagination import PaginationParameters
from msgspec import UNSET

from app.db.repositories.aliases import AliasChange, AliasFacts
from app.errors import (
    AliasInUse,
    AliasMoved,
    AliasNotFound,
    InvalidFields,
    InvalidName,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
)
from app.services.aliases import AliasMove
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.models.alias_schemas import (
    ALIAS_EXAMPLE,
    CHANGE_EXAMPLE,
    MOVE_EXAMPLE,
    AliasChangeSchema,
    AliasDeletionQuery,
    AliasMoveSchema,
    AliasSchema,
)
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint(
    "aliases", __name__, url_prefix="/api/v1/models/<name>/aliases", description="Movable names of versions"
)


@blp.route("")
@problems(ModelNotAllowed, ModelNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, AliasSchema(many=True), example=[ALIAS_EXAMPLE])
def list_aliases(name: str) -> list[AliasFacts]:
    """List a model's aliases, by name."""
    check_model_allowed(name)
    return services().aliases.all(name)


@blp.route("/<alias>")
@problems(ModelNotAllowed, ModelNotFound, AliasNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, AliasSchema, example=ALIAS_EXAMPLE)
def show_alias(name: str, alias: str) -> AliasFacts:
    """Show where an alias points, and since when."""
    check_model_allowed(name)
    return services().aliases.get(name, alias)


@blp.route("/<alias>", methods=["PUT"])
@problems(*BODY_PROBLEMS, InvalidFields, InvalidName, ModelNotAllowed, ModelNotFound, VersionNotFound, AliasMoved)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(AliasMoveSchema, example=MOVE_EXAMPLE)
@blp.response(200, AliasSchema, example=ALIAS_EXAMPLE)
def set_alias(fields: dict[str, Any], name: str, alias: str) -> AliasFacts:
    """Point an alias at a version.

    The alias is made if there is none. All web workers follow within a second; the version it pointed at before
    answers until the new one has a runner READY, so no request waits or fails. Pointing it where it points already
    moves nothing; it is how `cache_ttl_s` is changed alone.
    """
    check_model_allowed(name)
    move = AliasMove(
        version=str(fields["version"]),
        by=current_identity().client_id,
        why=fields["why"],
        expected=fields["expected"],
        cache_ttl_s=fields.get("cache_ttl_s", UNSET),
    )
    return services().aliases.set(name, alias, move)


@blp.route("/<alias>", methods=["DELETE"])
@problems(InvalidFields, ModelNotAllowed, ModelNotFound, AliasNotFound, AliasInUse)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(AliasDeletionQuery, location="query")
@blp.response(204)
def delete_alias(query: dict[str, Any], name: str, alias: str) -> None:
    """Delete an alias. Its history stays.

    One that the model's route names stays. `default` goes only when a single version is left: without it, callers
    who name no version would get no answer.
    """
    check_model_allowed(name)
    services().aliases.delete(name, alias, by=current_identity().client_id, why=query["why"])


@blp.route("/<alias>/history")
@problems(ModelNotAllowed, AliasNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, AliasChangeSchema(many=True), example=[CHANGE_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def show_history(name: str, alias: str, pagination_parameters: PaginationParameters) -> list[AliasChange]:
    """List every move of an alias, the newest first: who, when, from, to and why. A deleted alias has one, too."""
    check_model_allowed(name)
    aliases = services().aliases
    pagination_parameters.item_count = aliases.count_history(name, alias)
    if pagination_parameters.first_item >= pagination_parameters.item_count:
        # Not asked of SQL, which counts to 2**63 only.
        return []

    return aliases.history(name, alias, offset=pagination_parameters.first_item, limit=pagination_parameters.page_size)
