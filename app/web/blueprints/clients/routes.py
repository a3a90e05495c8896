"""Clients, for admins."""

from dataclasses import asdict
from typing import Any

from flask import Response
from flask_smorest.pagination import PaginationParameters

from app.errors import ClientExists, ClientNotFound, InvalidFields
from app.services.clients import ClientDraft, IssuedSecret
from app.web.api import GalleyBlueprint, problems
from app.web.auth import current_identity, requires
from app.web.blueprints.clients.schemas import (
    CLIENT_EXAMPLE,
    ISSUED_EXAMPLE,
    ClientSchema,
    IssuedClientSchema,
    NewClientSchema,
)
from app.web.body import BODY_PROBLEMS
from app.web.extensions import services
from app.web.limits import limited

blp = GalleyBlueprint("clients", __name__, url_prefix="/api/v1/clients", description="API clients and their secrets")


@blp.after_request
def forbid_storing(response: Response) -> Response:
    """Keep fresh secrets out of caches."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.route("")
@problems()
@requires("admin")
@limited("management")
@blp.response(200, ClientSchema(many=True), example=[CLIENT_EXAMPLE])
@blp.paginate(page_size=50, max_page_size=500)
def list_clients(pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """List all clients, by id."""
    clients = services().clients
    pagination_parameters.item_count = clients.count()
    if pagination_parameters.first_item >= pagination_parameters.item_count:
        # Not asked of SQL, which counts to 2**63 only.
        return []

    page = clients.page(offset=pagination_parameters.first_item, limit=pagination_parameters.page_size)
    return [_members(asdict(facts)) for facts in page]


@blp.route("", methods=["POST"])
@problems(*BODY_PROBLEMS, InvalidFields, ClientExists)
@requires("admin")
@limited("management")
@blp.arguments(NewClientSchema, example={name: CLIENT_EXAMPLE[name] for name in ("client_id", "scopes", "models")})
@blp.response(201, IssuedClientSchema, example=ISSUED_EXAMPLE)
def create_client(fields: dict[str, Any]) -> dict[str, Any]:
    """Make a client. Its secret is shown in this answer and never again."""
    draft = ClientDraft(
        client_id=fields["client_id"],
        description=fields["description"],
        scopes=frozenset(fields["scopes"]),
        model_globs=tuple(fields["model_globs"]),
    )
    return _issued(services().clients.create(draft, by=current_identity().client_id))


@blp.route("/<client_id>", methods=["DELETE"])
@problems(ClientNotFound)
@requires("admin")
@limited("management")
@blp.response(204)
def delete_client(client_id: str) -> None:
    """Delete a client. Its secrets and its tokens are refused everywhere within a second.

    Its jobs that have not ended are cancelled. All its jobs are left to admins: a client that is given the same id
    later does not find them.
    """
    services().clients.delete(client_id, by=current_identity().client_id)


@blp.route("/<client_id>/secret", methods=["POST"])
@problems(ClientNotFound)
@requires("admin")
@limited("management")
@blp.response(200, IssuedClientSchema, example=ISSUED_EXAMPLE)
def rotate_secret(client_id: str) -> dict[str, Any]:
    """Give a client a new secret. Its old ones stay valid for a grace period (a day by default)."""
    return _issued(services().clients.rotate(client_id, by=current_identity().client_id))


def _issued(issued: IssuedSecret) -> dict[str, Any]:
    return _members(asdict(issued.client)) | {"client_secret": issued.secret}


def _members(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {"scopes": sorted(facts["scopes"])}
