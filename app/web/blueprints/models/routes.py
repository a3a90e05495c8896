"""Models and versions, for reading."""

from typing import Any

from flask_smorest.pagination import PaginationParameters

from app.errors import ModelNotAllowed, ModelNotFound, StoreUnreachable, VersionNotFound
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.models.answers import model_members, version_members
from app.web.blueprints.models.docs import MODEL_EXAMPLE, VERSION_EXAMPLE
from app.web.blueprints.models.schemas import ModelSchema, VersionSchema
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint("models", __name__, url_prefix="/api/v1/models", description="What models and versions there are")


@blp.route("")
@problems()
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, ModelSchema(many=True), example=[MODEL_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def list_models(pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """List the models this client may use, by name."""
    models = services().catalog.models(current_identity().may_use)
    pagination_parameters.item_count = len(models)
    page = models[pagination_parameters.first_item : pagination_parameters.last_item + 1]
    return [model_members(model) for model in page]


@blp.route("/<name>")
@problems(ModelNotAllowed, ModelNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, ModelSchema, example=MODEL_EXAMPLE)
def show_model(name: str) -> dict[str, Any]:
    """Show one model: its versions with their states, and its aliases."""
    check_model_allowed(name)
    return model_members(services().catalog.model(name))


@blp.route("/<name>/versions/<version>")
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound, StoreUnreachable)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.etag
@blp.response(200, VersionSchema, example=VERSION_EXAMPLE)
def show_version(name: str, version: str) -> dict[str, Any]:
    """Show one version, named by number or alias: its manifest and what runs it."""
    check_model_allowed(name)
    model = services().catalog.model(name)
    return version_members(model, *services().catalog.version(name, version))
