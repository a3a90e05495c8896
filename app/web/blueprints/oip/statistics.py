"""GET /v2/models/stats: what versions have done, for tools that measure servers."""

from collections.abc import Sequence
from typing import Any

from app.errors import ModelNotAllowed, ModelNotFound, VersionNotFound
from app.services.model_catalog import UNLOADED, VersionView
from app.web.api import problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.oip.answers import statistics_members
from app.web.blueprints.oip.blueprint import METADATA_SCOPES, OipBlueprint
from app.web.blueprints.oip.docs import STATISTICS_EXAMPLE
from app.web.blueprints.oip.schemas import StatisticsSchema
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = OipBlueprint("v2-statistics", __name__, description="Open Inference Protocol: what models have done")


@blp.route("/models/stats")
@problems()
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, StatisticsSchema, example=STATISTICS_EXAMPLE)
def show_all() -> dict[str, Any]:
    """Show the statistics of all versions that are loaded or have run, of the models this client may use.

    They are sums over all processes, also those that have ended.
    """
    models = services().catalog.models(current_identity().may_use)
    return _answer([version for model in models for version in reversed(model.versions)])


@blp.route("/models/<name>/stats")
@problems(ModelNotAllowed, ModelNotFound)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, StatisticsSchema, example=STATISTICS_EXAMPLE)
def show_model(name: str) -> dict[str, Any]:
    """Show the statistics of a model's versions that are loaded or have run."""
    check_model_allowed(name)
    return _answer(list(reversed(services().catalog.model(name).versions)))


@blp.route("/models/<name>/versions/<version>/stats")
@problems(ModelNotAllowed, ModelNotFound, VersionNotFound)
@requires(*METADATA_SCOPES)
@limited(LimitClass.MANAGEMENT)
@blp.response(200, StatisticsSchema, example=STATISTICS_EXAMPLE)
def show_version(name: str, version: str) -> dict[str, Any]:
    """Show the statistics of one version, named by number or alias: all zero when it never ran."""
    check_model_allowed(name)
    ref = services().routing.find(name, version).ref
    view = next(view for view in services().catalog.model(name).versions if view.facts.ref == ref)
    return {"model_stats": [statistics_members(view, services().statistics.read().of(ref))]}


def _answer(versions: Sequence[VersionView]) -> dict[str, Any]:
    """Return the statistics of those versions that have any."""
    statistics = services().statistics.read()
    return {
        "model_stats": [
            statistics_members(version, statistics.of(version.facts.ref))
            for version in versions
            if version.state != UNLOADED or statistics.has(version.facts.ref)
        ]
    }
