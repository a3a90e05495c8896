"""`/openapi.json`, `/docs` and `/docs/streams`: the API described for programs and, offline, for people."""

from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Blueprint, Flask, Response, render_template, request, send_from_directory
from flask_smorest import Api

# The files of Swagger UI, as the package flask-swagger-ui ships them.
DIST_DIR = Path(flask_swagger_ui.__file__).parent / "dist"

# The pages load nothing from elsewhere, and their scripts are files: no inline code runs on them.
CONTENT_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
# Swagger UI styles its parts inline; this page does not. 'self' lets it open WebSockets to where it came from, too.
STREAMS_CONTENT_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

docs = Blueprint("docs", __name__)


def init_docs(app: Flask, api: Api) -> None:
    """Serve the description of `api`. Call it when all blueprints are registered: it is written once, here."""
    document = orjson.dumps(api.spec.to_dict())

    def openapi() -> Response:
        response = Response(document, mimetype="application/json")
        response.add_etag()
        response.make_conditional(request)
        return response

    app.add_url_rule("/openapi.json", "openapi", openapi)
    app.register_blueprint(docs)


@docs.get("/docs")
def page() -> Response:
    """Show the API in Swagger UI."""
    return _page("docs.html", CONTENT_POLICY)


@docs.get("/docs/streams")
def streams_page() -> Response:
    """Show the streams, which OpenAPI has no words for, by speaking with them."""
    return _page("streams.html", STREAMS_CONTENT_POLICY)


@docs.get("/docs/<path:filename>")
def file(filename: str) -> Response:
    """Serve one file of Swagger UI."""
    return send_from_directory(DIST_DIR, filename, max_age=86_400)


def _page(template: str, policy: str) -> Response:
    response = Response(render_template(template))
    response.headers["Content-Security-Policy"] = policy
    return response
