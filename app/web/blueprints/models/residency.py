"""What runs: load and unload a version, pin it, say how many instances it has."""

from typing import Any

from app.db.repositories.models import VersionFacts
from app.errors import (
    HeavyModel,
    InvalidFields,
    LoadFailed,
    ModelLoading,
    ModelNotAllowed,
    ModelNotFound,
    StoreUnreachable,
    VersionNotFound,
)
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.models.answers import version_members
from app.web.blueprints.models.docs import VERSION_EXAMPLE
from app.web.blueprints.models.residency_schemas import InstancesSchema
from app.web.blueprints.models.schemas import VersionSchema
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.inference import TIMEOUT_PARAMETER
from app.web.limits import LimitClass, limited
from app.web.request_context import current_context

blp = GalleyBlueprint("residency", __name__, url_prefix="/api/v1/models", description="What runs, and how often")

VERSION = "/<name>/versions/<version>"
PROBLEMS = (ModelNotAllowed, ModelNotFound, VersionNotFound, StoreUnreachable)
UNLOADED_EXAMPLE = {
    **VERSION_EXAMPLE,
    "state": "UNLOADED",
    "reason": "It was unloaded, and answers again once it is loaded.",
    "unloaded": True,
    "runners": [],
}


@blp.route(f"{VERSION}/load", methods=["POST"])
@problems(*PROBLEMS, LoadFailed, ModelLoading)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.doc(parameters=[TIMEOUT_PARAMETER])
@blp.response(200, VersionSchema, example=VERSION_EXAMPLE)
def load(name: str, version: str) -> dict[str, Any]:
    """Load a version, and answer once it is READY.

    Takes back an unload. What cannot be loaded is 409 `load_failed` with the reason, and whatever answered before goes
    on. What is not READY within the request's time is 503 `model_loading`: it is still being loaded. A version that
    nobody pinned and nothing names is loaded by any call; it goes again when it is idle, or others need its memory. A
    heavy one has no runner: it answers from now on, and the worker that is asked loads it.
    """
    facts = _version(name, version)
    services().residency.load(facts.ref, by=_caller(), deadline=current_context().deadline)
    return _shown(facts)


@blp.route(f"{VERSION}/unload", methods=["POST"])
@problems(*PROBLEMS)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, VersionSchema, example=UNLOADED_EXAMPLE)
def unload(name: str, version: str) -> dict[str, Any]:
    """Unload a version until somebody loads it again.

    Its runners answer what they hold and end; calls of it are 503 `model_unloaded`, pinned or not, whatever names it.
    """
    facts = _version(name, version)
    services().residency.unload(facts.ref, by=_caller())
    return _shown(facts)


@blp.route(f"{VERSION}/pin", methods=["POST"])
@problems(*PROBLEMS)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, VersionSchema, example={**VERSION_EXAMPLE, "pinned": True})
def pin(name: str, version: str) -> dict[str, Any]:
    """Keep a version loaded, whether it is called or not; it never makes room for others."""
    facts = _version(name, version)
    services().residency.pin(facts.ref, by=_caller())
    return _shown(facts)


@blp.route(f"{VERSION}/unpin", methods=["POST"])
@problems(*PROBLEMS)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, VersionSchema, example=VERSION_EXAMPLE)
def unpin(name: str, version: str) -> dict[str, Any]:
    """Let go of a pinned version: it stays while an alias or the route names it, or it is called."""
    facts = _version(name, version)
    services().residency.unpin(facts.ref, by=_caller())
    return _shown(facts)


@blp.route(f"{VERSION}/instances", methods=["PUT"])
@problems(*PROBLEMS, *BODY_PROBLEMS, InvalidFields, HeavyModel)
@requires(Scope.MODELS_WRITE)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(InstancesSchema, example={"instances": 2})
@blp.response(200, VersionSchema, example={**VERSION_EXAMPLE, "instances": 2})
def set_instances(fields: dict[str, Any], name: str, version: str) -> dict[str, Any]:
    """Say how many runners a version has whenever it runs; callers go to the least busy one.

    Each is a process with its own copy of the model. Where memory is scarce, only the first is worth making room for.
    """
    facts = _version(name, version)
    services().residency.set_instances(facts.ref, fields["instances"], by=_caller())
    return _shown(facts)


def _version(name: str, version: str) -> VersionFacts:
    check_model_allowed(name)
    return services().releases.find(name, version)


def _caller() -> str:
    return current_identity().client_id


def _shown(facts: VersionFacts) -> dict[str, Any]:
    """Return the version as it is after the change, which this worker may not have heard of yet."""
    services().routing.refresh()
    catalog, ref = services().catalog, facts.ref
    return version_members(catalog.model(ref.name), *catalog.version(ref.name, str(ref.version)))
