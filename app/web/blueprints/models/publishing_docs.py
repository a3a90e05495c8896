"""How the upload of a version looks in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

_FILE = {"type": "string", "format": "binary"}

REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["artifact", "manifest"],
                "properties": {
                    "artifact": {**_FILE, "description": "The model: a TorchScript file."},
                    "manifest": {
                        "type": "string",
                        "description": "JSON: what the model says of itself. Signature and version may be left out.",
                        "example": '{"max_batch_size": 32, "task": "tensor"}',
                    },
                    "samples": {**_FILE, "description": "JSON: inputs with the outputs that the model must give."},
                    "assets": {
                        "type": "array",
                        "items": _FILE,
                        "maxItems": 256,
                        "description": "Files the model's pipeline reads, each by its file name.",
                    },
                    "alias": {"type": "string", "description": "Point this alias at the version.", "example": "stable"},
                    "pin": {"type": "boolean", "description": "Keep the version loaded, though no alias names it."},
                },
            },
            "encoding": {"manifest": {"contentType": "application/json"}},
        },
    },
}
