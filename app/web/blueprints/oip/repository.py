"""POST /v2/repository: which versions there are and how they are."""

from typing import Any

from app.web.api import problems
from app.web.auth import current_identity, requires
from app.web.blueprints.oip.answers import index_entries
from app.web.blueprints.oip.blueprint import METADATA_SCOPES, OipBlueprint
from app.web.blueprints.oip.docs import INDEX_BODY, INDEX_EXAMPLE
from app.web.blueprints.oip.orders import IndexOrder, read_order
from app.web.blueprints.oip.schemas import IndexEntrySchema
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import LimitClass, limited

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
