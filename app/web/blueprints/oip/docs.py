"""How the Open Inference Protocol looks in the OpenAPI document, where decorators cannot say it."""

from typing import Any, Final

METADATA_EXAMPLE: Final[dict[str, Any]] = {
    "name": "digits",
    "versions": ["1"],
    "platform": "pytorch_torchscript",
    "inputs": [{"name": "pictures", "datatype": "FP32", "shape": [-1, 1, 96, 96]}],
    "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 10]}],
}

CONFIG_EXAMPLE: Final[dict[str, Any]] = {
    "name": "digits",
    "platform": "pytorch_torchscript",
    "backend": "pytorch",
    "max_batch_size": 64,
    "input": [{"name": "pictures", "data_type": "TYPE_FP32", "dims": [1, 96, 96]}],
    "output": [{"name": "logits", "data_type": "TYPE_FP32", "dims": [10]}],
    "dynamic_batching": {},
}

_REQUEST: Final[dict[str, Any]] = {
    "id": "42",
    "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0.1, 0.2, 0.3, 0.4]}],
    "outputs": [{"name": "y"}],
}

ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "model_name": "linear",
    "model_version": "1",
    "id": "42",
    "outputs": [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [0.7, 0.3]}],
}

_TENSOR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {
            "type": "string",
            "enum": [
                "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
                "FP16", "BF16", "FP32", "FP64", "BYTES",
            ],
        },
        "parameters": {"type": "object", "description": "`binary_data_size`, where the data follow the JSON."},
        "data": {"type": "array", "items": {}, "description": "Row-major, flat or nested."},
    },
}  # fmt: skip

_OUTPUT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "parameters": {"type": "object", "description": "`binary_data`, `classification`."},
    },
}

INFER_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["inputs"],
                "properties": {
                    "id": {"type": "string", "description": "Comes back in the answer."},
                    "parameters": {
                        "type": "object",
                        "description": "`timeout` (microseconds), `priority` (0 or 1: at once; more: later),"
                        " `binary_data_output`; others are left to the model.",
                    },
                    "inputs": {"type": "array", "minItems": 1, "items": _TENSOR_SCHEMA},
                    "outputs": {
                        "type": "array",
                        "items": _OUTPUT_SCHEMA,
                        "description": "Which outputs to send, and how; by default all.",
                    },
                },
            },
            "example": _REQUEST,
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}

LENGTH_PARAMETER: Final[dict[str, Any]] = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "How many bytes of the body, before compression, are JSON; binary tensors follow. Without it all is"
    " JSON; 0 means that the body is the only input's bytes.",
    "schema": {"type": "integer", "minimum": 0},
}

LENGTH_HEADER_DOC: Final[dict[str, Any]] = {
    "Inference-Header-Content-Length": {
        "schema": {"type": "integer"},
        "description": "How many bytes of the answer are JSON, where binary tensors follow.",
    }
}

LOAD_BODY: Final[dict[str, Any]] = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"parameters": {"type": "object", "maxProperties": 0}}},
            "example": {},
        }
    },
}

UNLOAD_BODY: Final[dict[str, Any]] = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "parameters": {"type": "object", "properties": {"unload_dependents": {"type": "boolean"}}}
                },
            },
            "example": {"parameters": {"unload_dependents": False}},
        }
    },
}

INDEX_BODY: Final[dict[str, Any]] = {
    "required": False,
    "content": {
        "application/json": {
            "schema": {"type": "object", "properties": {"ready": {"type": "boolean", "default": False}}},
            "example": {"ready": True},
        }
    },
}

INDEX_EXAMPLE: Final = [
    {"name": "digits", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"},
    {"name": "digits", "version": "2", "state": "READY", "reason": ""},
]

_TOTAL: Final = {"count": 12, "ns": 3_400_000}

STATISTICS_EXAMPLE: Final[dict[str, Any]] = {
    "model_stats": [
        {
            "name": "digits",
            "version": "1",
            "last_inference": 1_767_225_600_000,
            "inference_count": 24,
            "execution_count": 12,
            "inference_stats": {
                "success": _TOTAL,
                "fail": {"count": 0, "ns": 0},
                "queue": _TOTAL,
                "compute_input": _TOTAL,
                "compute_infer": _TOTAL,
                "compute_output": _TOTAL,
                "cache_hit": {"count": 0, "ns": 0},
                "cache_miss": {"count": 0, "ns": 0},
            },
            "response_stats": {},
            "batch_stats": [
                {"batch_size": 2, "compute_input": _TOTAL, "compute_infer": _TOTAL, "compute_output": _TOTAL}
            ],
            "memory_usage": [{"type": "CPU", "id": 0, "byte_size": 48_234_496}],
        }
    ]
}
