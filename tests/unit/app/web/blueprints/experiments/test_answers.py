"""The members of a readout with everything in it."""

from app.services.experiment_readout import Metric, Readout, SampleRatio, VariantReadout
from app.services.experiment_statistics import Difference, Interval
from app.services.experiment_store import VariantCounts
from app.web.blueprints.experiments.answers import readout_members

VARIANT = VariantReadout(
    name="candidate",
    version=7,
    share=0.5,
    counts=VariantCounts(requests=10, errors=2, caller_errors=1, subjects=9),
    error_rate=Interval(0.05, 0.5),
    latencies_s={0.5: 0.0012345, 0.9: 0.25, 0.99: None},
    metrics=[
        Metric(
            name="revenue",
            count=9,
            mean=4.5,
            interval=Interval(4.0, 5.0),
            difference=Difference(0.5, Interval(-0.1, 1.1), 0.09),
            note="",
        )
    ],
)
READOUT = Readout(
    model_name="digits",
    revision=3,
    is_current=False,
    variants=[VARIANT],
    sample_ratio=SampleRatio(p_value=0.0005, sentence="Sample ratio mismatch."),
    notes=["Something."],
)

REVENUE = {
    "metric": "revenue",
    "count": 9,
    "mean": 4.5,
    "interval": {"low": 4.0, "high": 5.0},
    "difference": {"value": 0.5, "low": -0.1, "high": 1.1, "p_value": 0.09},
    "note": "",
}


def test_a_readout_is_told_whole() -> None:
    assert readout_members(READOUT) == {
        "model": "digits",
        "revision": 3,
        "is_current": False,
        "confidence": 0.95,
        "variants": [
            {
                "name": "candidate",
                "version": 7,
                "share": 0.5,
                "requests": 10,
                "errors": 2,
                "caller_errors": 1,
                "subjects": 9,
                "error_rate": {"value": 0.2, "low": 0.05, "high": 0.5},
                "latency_ms": {"p50": 1.234, "p90": 250.0, "p99": None},
                "outcomes": [REVENUE],
            }
        ],
        "sample_ratio": {"p_value": 0.0005, "is_mismatch": True, "sentence": "Sample ratio mismatch."},
        "notes": ["Something."],
    }
