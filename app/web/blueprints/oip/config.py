"""GET /v2/models/NAME/config: a version's configuration, as tools that measure servers read it."""

from typing import Any

from app.errors import ModelNotAllowed, ModelNotFound, StoreUnreachable, VersionNotFound
from app.services.catalog import DEFAULT_ALIAS
from app.web.api import problems
from app.web.auth import check_model_allowed, requires
from app.web.blueprints.oip.answers import config_members
from app.web.blueprints.oip.blueprint import METADATA_SCOPES, OipBlueprint
from app.web.blueprints.oip.docs import CONFIG_EXAMPLE
from app.web.blueprints.oip.schemas import ModelConfigSchema
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = OipBlueprint("v2-config", __name__, description="Open Inference Protocol: how models are configured")


@blp.route("/models/<name>/config")
@blp.route("/models/<name>/versions/<version>/config")
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound, StoreUnreachable)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, ModelConfigSchema, example=CONFIG_EXAMPLE)
def show_config(name: str, version: str = DEFAULT_ALIAS) -> dict[str, Any]:
    """Show a model's configuration: its largest batch and its tensors.

    `dims` leave the batch dimension out where `max_batch_size` is more than 0.
    """
    check_model_allowed(name)
    _, manifest = services().catalog.version(name, version)
    return config_members(manifest)
