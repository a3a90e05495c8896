"""GET /v2 and /v2/models: what the server can do, which models there are, what they take, whether they are ready."""

from importlib.metadata import version as version_of_package
from typing import Any, Final

from flask import Response

from app.errors import (
    ModelLoading,
    ModelNotAllowed,
    ModelNotFound,
    ModelUnloaded,
    StoreUnreachable,
    UnavailableError,
    VersionNotFound,
)
from app.inference.messages import RunnerState
from app.services.catalog import DEFAULT_ALIAS
from app.web.api import problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.oip.answers import metadata_members
from app.web.blueprints.oip.blueprint import METADATA_SCOPES, OipBlueprint
from app.web.blueprints.oip.docs import METADATA_EXAMPLE
from app.web.blueprints.oip.health import SERVER_NAME
from app.web.blueprints.oip.schemas import (
    ModelListSchema,
    ModelMetadataSchema,
    ModelReadySchema,
    ServerMetadataSchema,
)
from app.web.error_handlers import problem_of
from app.web.extensions import services
from app.web.inference import current_call
from app.web.limits import LimitClass, limited

EXTENSIONS: Final = (
    "classification",
    "model_repository",
    "model_repository(unload_dependents)",
    "schedule_policy",
    "model_configuration",
    "binary_tensor_data",
    "parameters",
    "statistics",
)
"""The extensions of the protocol that are implemented, and no others."""

SERVER: Final = {"name": SERVER_NAME, "version": version_of_package("galley"), "extensions": EXTENSIONS}

blp = OipBlueprint("v2-models", __name__, description="Open Inference Protocol: what models there are")


@blp.route("")
@problems()
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, ServerMetadataSchema, example=SERVER)
def show_server() -> dict[str, Any]:
    """Show the server's name and version, and the extensions of the protocol that it implements."""
    return SERVER


@blp.route("/models")
@problems()
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, ModelListSchema, example={"models": ["digits"]})
def list_models() -> dict[str, Any]:
    """List the names of the models that this client may use."""
    return {"models": [model.name for model in services().catalog.models(current_identity().may_use)]}


@blp.route("/models/<name>")
@blp.route("/models/<name>/versions/<version>")
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound, StoreUnreachable)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, ModelMetadataSchema, example=METADATA_EXAMPLE)
def show_model(name: str, version: str = DEFAULT_ALIAS) -> dict[str, Any]:
    """Show what a model takes and answers, tensor by tensor.

    The version is a number or an alias; without one it is the alias `default`. -1 in a shape is a free dimension,
    and the first is the batch.
    """
    check_model_allowed(name)
    model = services().catalog.model(name)
    _, manifest = services().catalog.version(name, version)
    return metadata_members(model, manifest)


@blp.route("/models/<name>/ready")
@blp.route("/models/<name>/versions/<version>/ready")
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound, ModelLoading, ModelUnloaded)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, ModelReadySchema, example={"name": "digits", "ready": True})
def show_readiness(name: str, version: str | None = None) -> dict[str, Any] | Response:
    """Say whether the version that would answer this caller now is loaded and ready.

    One that is not is loaded by the first call, which waits for it within its deadline.
    """
    check_model_allowed(name)
    call = current_call()
    try:
        resolved = services().routing.resolve(name, version, subject=call.subject, client_id=call.client_id)
    except ModelUnloaded as err:
        return _unready(name, err, err.detail)

    views = services().catalog.model(name).versions
    view = next(view for view in views if view.facts.ref == resolved.ref)
    if view.state == RunnerState.READY:
        return {"name": name, "ready": True}

    reason = view.reason or f"{resolved.ref} is {view.state}."
    return _unready(name, ModelLoading(f"Not ready: {reason}"), reason)


def _unready(name: str, error: UnavailableError, reason: str) -> Response:
    return problem_of(error, name=name, ready=False, reasons=[reason]).response()
