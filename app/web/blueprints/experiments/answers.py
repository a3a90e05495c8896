"""From a readout to the members of an answer."""

from typing import Any

from app.services.experiment_readout import Metric, Readout, SampleRatio, VariantReadout
from app.services.experiment_statistics import CONFIDENCE, Difference, Interval


def readout_members(readout: Readout) -> dict[str, Any]:
    """Return a readout whole."""
    return {
        "model": readout.model_name,
        "revision": readout.revision,
        "is_current": readout.is_current,
        "confidence": CONFIDENCE,
        "variants": [_variant(variant) for variant in readout.variants],
        "sample_ratio": _sample_ratio(readout.sample_ratio),
        "notes": readout.notes,
    }


def _variant(variant: VariantReadout) -> dict[str, Any]:
    return {
        "name": variant.name,
        "version": variant.version,
        "share": variant.share,
        **_counts(variant),
        "latency_ms": {
            f"p{share * 100:.0f}": None if seconds is None else round(seconds * 1000, 3)
            for share, seconds in variant.latencies_s.items()
        },
        "outcomes": [_metric(metric) for metric in variant.metrics],
    }


def _counts(variant: VariantReadout) -> dict[str, Any]:
    counts, rate = variant.counts, variant.error_rate
    return {
        "requests": counts and counts.requests,
        "errors": counts and counts.errors,
        "caller_errors": counts and counts.caller_errors,
        "subjects": counts and counts.subjects,
        "error_rate": {"value": counts.errors / counts.requests, **_interval(rate)} if counts and rate else None,
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "metric": metric.name,
        "count": metric.count,
        "mean": metric.mean,
        "interval": metric.interval and _interval(metric.interval),
        "difference": metric.difference and _difference(metric.difference),
        "note": metric.note,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {"value": difference.value, "p_value": difference.p_value, **_interval(difference.interval)}


def _interval(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high}


def _sample_ratio(ratio: SampleRatio) -> dict[str, Any]:
    return {"p_value": ratio.p_value, "is_mismatch": ratio.is_mismatch, "sentence": ratio.sentence}
