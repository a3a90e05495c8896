"""Examples of models and versions for the OpenAPI document."""

from typing import Any

_SUMMARY: dict[str, Any] = {
    "version": 1,
    "state": "READY",
    "reason": "",
    "task": "image-classification",
    "execution": "online",
    "pinned": False,
    "unloaded": False,
    "instances": 1,
    "size_bytes": 241_664,
    "created_at": "2026-01-31T12:00:00+00:00",
    "created_by": "first-start",
}

MODEL_EXAMPLE: dict[str, Any] = {
    "name": "digits",
    "default": 1,
    "aliases": {"default": 1},
    "versions": [_SUMMARY],
}

VERSION_EXAMPLE: dict[str, Any] = {
    **_SUMMARY,
    "name": "digits",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "aliases": ["default"],
    "manifest": {
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 32, 32]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 10]}],
        "max_batch_size": 64,
        "task": "image-classification",
    },
    "runners": [
        {
            "state": "READY",
            "reason": "",
            "pid": 4711,
            "host": "galley-1",
            "address": "ipc:///run/galley/runners/digits-1.sock",
            "memory_bytes": 48_234_496,
            "rows_per_s": 9100.0,
            "load_s": 0.3,
            "queued_rows": 0,
            "capacity_rows": 512,
        }
    ],
}
