"""Examples of outcomes and of a readout for the OpenAPI document."""

from typing import Any, Final

OUTCOME_EXAMPLE: Final = {"subject": "user-4711", "metric": "conversion", "value": 1}
RECORDED_EXAMPLE: Final = {"outcomes": [{"revision": 3, "variant": "candidate"}]}

READOUT_EXAMPLE: Final[dict[str, Any]] = {
    "model": "fraud",
    "revision": 3,
    "is_current": True,
    "confidence": 0.95,
    "variants": [
        {
            "name": "control",
            "version": "default",
            "share": 0.9,
            "requests": 18_211,
            "errors": 3,
            "caller_errors": 12,
            "error_rate": {"value": 0.00016, "low": 0.00006, "high": 0.00048},
            "latency_ms": {"p50": 4.1, "p90": 7.9, "p99": 14.2},
            "subjects": 8998,
            "outcomes": [
                {
                    "metric": "conversion",
                    "count": 8120,
                    "mean": 0.0412,
                    "interval": {"low": 0.0369, "high": 0.0455},
                    "difference": None,
                    "note": "",
                }
            ],
        },
        {
            "name": "candidate",
            "version": 7,
            "share": 0.1,
            "requests": 2020,
            "errors": 0,
            "caller_errors": 1,
            "error_rate": {"value": 0.0, "low": 0.0, "high": 0.0019},
            "latency_ms": {"p50": 4.3, "p90": 8.2, "p99": 15.0},
            "subjects": 1004,
            "outcomes": [
                {
                    "metric": "conversion",
                    "count": 911,
                    "mean": 0.0582,
                    "interval": {"low": 0.043, "high": 0.0734},
                    "difference": {"value": 0.017, "low": 0.0012, "high": 0.0328, "p_value": 0.0354},
                    "note": "",
                }
            ],
        },
    ],
    "sample_ratio": {
        "p_value": 0.89,
        "is_mismatch": False,
        "sentence": "The subjects divide as the buckets do (p = 0.89).",
    },
    "notes": [],
}
