"""Outcomes in, readout out."""

from typing import Any

from app.errors import (
    AssignmentNotFound,
    InvalidFields,
    ModelNotAllowed,
    ModelNotFound,
    RedisUnavailable,
    RouteNotFound,
)
from app.services.experiment_store import Assigned
from app.services.outcomes import OutcomeDraft
from app.services.scopes import Scope
from app.web.api import GalleyBlueprint, problems
from app.web.auth import check_model_allowed, current_identity, requires
from app.web.blueprints.experiments.answers import readout_members
from app.web.blueprints.experiments.docs import OUTCOME_EXAMPLE, READOUT_EXAMPLE, RECORDED_EXAMPLE
from app.web.blueprints.experiments.schemas import OutcomesSchema, ReadoutQuerySchema, ReadoutSchema, RecordedSchema
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import LimitClass, limited

blp = GalleyBlueprint(
    "experiments", __name__, url_prefix="/api/v1/models", description="What came of a route's variants"
)


@blp.route("/<name>/outcomes", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidFields, ModelNotAllowed, ModelNotFound, AssignmentNotFound, RedisUnavailable)
@requires(Scope.INFER)
@limited(LimitClass.INFERENCE)
@blp.arguments(OutcomesSchema, example=OUTCOME_EXAMPLE)
@blp.response(201, RecordedSchema, example=RECORDED_EXAMPLE)
def record_outcomes(fields: dict[str, Any], name: str) -> dict[str, list[Assigned]]:
    """Record what came of a request or a subject, for the variant that answered.

    A later value of the same metric and the same request or subject takes the earlier one's place, so a post may be
    repeated. A list is recorded whole or not at all.
    """
    check_model_allowed(name)
    drafts = [OutcomeDraft(**one) for one in fields.get("outcomes", [fields])]
    return {"outcomes": services().outcomes.record(name, drafts, by=current_identity().client_id)}


@blp.route("/<name>/experiment")
@problems(InvalidFields, ModelNotAllowed, ModelNotFound, RouteNotFound)
@requires(Scope.MODELS_READ)
@limited(LimitClass.MANAGEMENT)
@blp.arguments(ReadoutQuerySchema, location="query")
@blp.response(200, ReadoutSchema, example=READOUT_EXAMPLE)
def show_experiment(query: dict[str, Any], name: str) -> dict[str, Any]:
    """Compare the variants of a model's route.

    Everything is counted per revision of the route: a change of weights begins anew. Intervals are of 95 %. The
    sample-ratio check says whether the comparison can be trusted at all.
    """
    check_model_allowed(name)
    return readout_members(services().experiments.readout(name, query.get("revision")))
