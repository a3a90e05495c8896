"""What the blueprints under /v2 share: the prefix, and failures described in the protocol's form."""

from http import HTTPStatus
from typing import Any

from app.services.scopes import Scope
from app.web.api import GalleyBlueprint
from app.web.problems import PROBLEM_JSON, V2_JSON, V2_PREFIX, v2_status

METADATA_SCOPES = (Scope.INFER, Scope.MODELS_READ)
"""Any one of these lets a caller read what models there are and how they are."""


class OipBlueprint(GalleyBlueprint):
    """A group of routes under /v2. Parameters and bodies are read by hand: the protocol's clients send odd types."""

    def __init__(self, name: str, import_name: str, *, description: str) -> None:
        super().__init__(name, import_name, url_prefix=V2_PREFIX, description=description)

    def _store_endpoint_docs(
        self, endpoint: str, obj: Any, parameters: list[Any] | None, tags: list[str] | None, **options: Any
    ) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        for method, notes in self._docs[endpoint].items():
            if method != "parameters":
                manual = notes["manual_doc"]
                manual["responses"] = v2_answers(manual["responses"])


def v2_answers(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the documented failures of a view as they are under /v2; what is no problem document stays."""
    found: dict[str, Any] = {}
    for number, answer in answers.items():
        status = v2_status(HTTPStatus(int(number)))
        problems = answer["content"][PROBLEM_JSON]["examples"]
        known = found.setdefault(str(int(status)), _answer(status))
        known["headers"] |= answer.get("headers", {})
        known["content"][V2_JSON]["examples"] |= {
            code: {"$ref": f"#/components/examples/v2_{code}"} for code in problems
        }
    return found


def _answer(status: HTTPStatus) -> dict[str, Any]:
    content = {"schema": {"$ref": "#/components/schemas/V2Failure"}, "examples": {}}
    return {"description": status.phrase, "content": {V2_JSON: content}, "headers": {}}
