"""POST /v2/repository: which versions there are and how they are; load them, unload them."""

from typing import Any

from flask import Response

from app.errors import (
    InvalidFields,
    LoadFailed,
    ModelLoading,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
)
from app.services.catalog import DEFAULT_ALIAS
from app.services.scopes import Scope
from app.web.api import problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.oip.answers import index_entries
from app.web.blueprints.oip.blueprint import METADATA_SCOPES, OipBlueprint
from app.web.blueprints.oip.docs import INDEX_BODY, INDEX_EXAMPLE, LOAD_BODY, UNLOAD_BODY
from app.web.blueprints.oip.orders import IndexOrder, LoadOrder, UnloadOrder, read_order
from app.web.blueprints.oip.schemas import IndexEntrySchema
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.inference import TIMEOUT_PARAMETER
from app.web.limits import LimitClass, limited
from app.web.request_context import current_context
from model_store.model_ref import ModelRef

blp = OipBlueprint("v2-repository", __name__, description="Open Inference Protocol: load and unload models")


@blp.route("/repository/index", methods=["POST"])
@problems(*BODY_PROBLEMS)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.doc(requestBody=INDEX_BODY)
@blp.response(200, IndexEntrySchema(many=True), example=INDEX_EXAMPLE)
def show_index() -> list[dict[str, Any]]:
    """List all versions of the models this client may use, with their states; or only those that are ready."""
    order = read_order(IndexOrder)
    models = services().catalog.models(current_identity().may_use)
    entries = [entry for model in models for entry in index_entries(model)]
    return [entry for entry in entries if entry["state"] == "READY" or not order.ready]


@blp.route("/repository/models/<name>/load", methods=["POST"], parameters=[TIMEOUT_PARAMETER])
@blp.route("/repository/models/<name>/versions/<version>/load", methods=["POST"], parameters=[TIMEOUT_PARAMETER])
@problems(
    *BODY_PROBLEMS,
    InvalidFields,
    ModelNotAllowed,
    ModelNotFound,
    VersionNotFound,
    LoadFailed,
    ModelLoading,
)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.doc(requestBody=LOAD_BODY)
@blp.response(200, description="It is loaded and ready.")
def load(name: str, version: str = DEFAULT_ALIAS) -> Response:
    """Load a version, and answer once it is ready.

    Without a version it is the one that alias `default` names. The request waits within its deadline; past it the
    version goes on loading. A version that fails to load changes nothing about those that run. A heavy one is loaded by
    the worker that is asked. Versions cannot be loaded with another configuration or other files: those are refused.
    """
    read_order(LoadOrder).check()
    ref = _ref(name, version)
    services().residency.load(ref, by=current_identity().client_id, deadline=current_context().deadline)
    return Response()


@blp.route("/repository/models/<name>/unload", methods=["POST"])
@blp.route("/repository/models/<name>/versions/<version>/unload", methods=["POST"])
@problems(*BODY_PROBLEMS, ModelNotAllowed, ModelNotFound, VersionNotFound)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.doc(requestBody=UNLOAD_BODY)
@blp.response(200, description="It is not called any more.")
def unload(name: str, version: str = DEFAULT_ALIAS) -> Response:
    """Unload a version until somebody loads it again.

    Without a version it is the one that alias `default` names. What it was asked before is still answered; later
    calls are refused with 503 `model_unloaded`. No model depends on another, so `unload_dependents` changes nothing.
    """
    read_order(UnloadOrder)
    services().residency.unload(_ref(name, version), by=current_identity().client_id)
    return Response()


def _ref(name: str, version: str) -> ModelRef:
    """Return the version that is meant, be it unloaded or not."""
    check_model_allowed(name)
    return services().routing.find(name, version).ref
