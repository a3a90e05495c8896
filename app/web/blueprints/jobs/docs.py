"""How jobs look in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

from app.scenarios.job_kinds import JOB_KINDS
from app.web.blueprints.jobs.formats import SUFFIXES
from app.web.blueprints.jobs.intake import KEY_HEADER, LONGEST_KEY, REPLAYED_HEADER, VARIANT_HEADER
from app.web.blueprints.jobs.schemas import LOCATION_HEADER, STATES

_KIND: Final = {"type": "string", "enum": list(JOB_KINDS), "description": "What is done with each row."}
_MODEL: Final = {
    "type": "string",
    "maxLength": 128,
    "description": "Name of the model; by default the one that the kind's single call asks. For `tensor` name it.",
}
_PARAMETERS: Final = {
    "type": "object",
    "description": "Of all rows: `max_error_share`, and `top_k` of images and text.",
    "properties": {
        "max_error_share": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.1,
            "description": "With a larger share of bad rows the job fails.",
        },
    },
    "additionalProperties": True,
}
_VERSION_MEANING: Final = "Number or alias; by default what answers the caller now. It is looked up once."
_EXAMPLE: Final = {
    "kind": "recommendations",
    "parameters": {"max_error_share": 0.01},
    "inputs": [{"user_id": 4711, "k": 2}, {"user_id": 12}],
}

REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["kind", "inputs"],
                "additionalProperties": False,
                "properties": {
                    "kind": _KIND,
                    "model": _MODEL,
                    "version": {
                        "oneOf": [{"type": "integer"}, {"type": "string"}],
                        "description": _VERSION_MEANING,
                    },
                    "parameters": _PARAMETERS,
                    "inputs": {
                        "type": "array",
                        "minItems": 1,
                        "items": {},
                        "description": "The rows: each the body of the kind's single call.",
                    },
                },
            },
            "example": _EXAMPLE,
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["kind", "input"],
                "properties": {
                    "kind": _KIND,
                    "model": _MODEL,
                    "version": {"type": "string", "description": _VERSION_MEANING},
                    "parameters": _PARAMETERS,
                    "input": {
                        "type": "string",
                        "format": "binary",
                        "description": f"The rows. The file's name says the format: {', '.join(SUFFIXES)}.",
                    },
                },
            },
            "encoding": {"parameters": {"contentType": "application/json"}},
        },
    },
}

KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "What the caller calls this request by. Sent again, it is answered with the same job.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "example": "2026-01-31-nightly",
}

ACCEPTED_HEADERS: Final[dict[str, Any]] = {
    **LOCATION_HEADER,
    VARIANT_HEADER: {
        "schema": {"type": "string"},
        "description": "The variant by which the model's route chose the version; absent when no route chose.",
    },
    REPLAYED_HEADER: {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "There when the job was made by an earlier request of the same key.",
    },
}

PREFER_PARAMETER: Final[dict[str, Any]] = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` (RFC 7240): answer with a job of this one request. Others are ignored.",
    "schema": {"type": "string"},
    "example": "respond-async",
}
ASYNC_PARAMETERS: Final = (
    PREFER_PARAMETER,
    {**KEY_PARAMETER, "description": "Of a request that becomes a job: sent again, it is answered with the same one."},
)
ASYNC_HEADERS: Final[dict[str, Any]] = {
    **ACCEPTED_HEADERS,
    "Preference-Applied": {
        "schema": {"type": "string", "enum": ["respond-async"]},
        "description": "There when it was the caller who preferred a job, and not the model.",
    },
}

ETAG_HEADERS: Final[dict[str, Any]] = {"ETag": {"$ref": "#/components/headers/ETAG"}}

STREAM_HEADERS: Final[dict[str, Any]] = {
    "X-Job-State": {
        "schema": {"type": "string", "enum": list(STATES)},
        "description": "The job's state before this was read: while it has not ended, there is more to come.",
    },
    "X-Next-Row": {
        "schema": {"type": "integer"},
        "description": "The row that what is to come begins with, as `from_row`; absent when the job has ended.",
    },
}

RESULTS_EXAMPLE: Final = (
    '{"row":1,"user_id":4711,"items":[{"item_id":318,"score":7.25}],"cold_start":false,'
    '"model":{"name":"recommender","version":1,"variant":null}}\n'
)
ERRORS_EXAMPLE: Final = '{"row":2,"code":"validation_failed","detail":"user_id: Send an integer of 64 bits."}\n'
EVENTS_EXAMPLE: Final = 'retry: 3000\n\nevent: progress\ndata: {"id":"0b5c5f0a…","state":"running"}\n\n'


def streamed(headers: dict[str, Any], examples: dict[str, str]) -> dict[str, Any]:
    """Describe an answer that is a stream of text: an example of each media type."""
    content = {media_type: {"schema": {"type": "string"}, "example": text} for media_type, text in examples.items()}
    return {"responses": {"200": {"description": "OK", "content": content, "headers": headers}}}
