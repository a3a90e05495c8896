"""From manifests and states to the members of the protocol's answers."""

from collections.abc import Iterator
from typing import Any, Final

from app.inference.messages import RunnerState
from app.services.model_catalog import UNLOADED, ModelView, VersionView
from app.services.statistics import Total, VersionStatistics
from model_store.manifest import Manifest, TensorSpec

PLATFORM: Final = "pytorch_torchscript"
BACKEND: Final = "pytorch"

_OUTCOMES: Final = ("success", "fail", "queue")
_COMPUTE_STAGES: Final = ("compute_input", "compute_infer", "compute_output")

# The protocol's word for each state of a version.
_INDEX_STATES: Final[dict[str, str]] = {
    RunnerState.READY: "READY",
    RunnerState.LOADING: "LOADING",
    RunnerState.DRAINING: "UNLOADING",
    RunnerState.FAILED: "UNAVAILABLE",
    UNLOADED: "UNAVAILABLE",
}


def metadata_members(model: ModelView, manifest: Manifest) -> dict[str, Any]:
    """Return what one version of `model` takes and answers."""
    return {
        "name": model.name,
        "versions": [str(number) for number in sorted(version.facts.ref.version for version in model.versions)],
        "platform": PLATFORM,
        "inputs": [_tensor(spec) for spec in manifest.inputs],
        "outputs": [_tensor(spec) for spec in manifest.outputs],
    }


def config_members(manifest: Manifest) -> dict[str, Any]:
    """Return a version's configuration; one that takes no batches has `max_batch_size` 0."""
    skipped = 1 if manifest.is_batched else 0
    return {
        "name": manifest.name,
        "platform": PLATFORM,
        "backend": BACKEND,
        "max_batch_size": manifest.max_batch_size if manifest.is_batched else 0,
        "input": [_config_tensor(spec, skipped) for spec in manifest.inputs],
        "output": [_config_tensor(spec, skipped) for spec in manifest.outputs],
        **({"dynamic_batching": {}} if manifest.is_batched else {}),
    }


def index_entries(model: ModelView) -> Iterator[dict[str, Any]]:
    """Yield one entry per version of `model`, the oldest first."""
    for version in reversed(model.versions):
        yield {
            "name": model.name,
            "version": str(version.facts.ref.version),
            "state": _INDEX_STATES[version.state],
            "reason": version.reason or ("unloaded" if version.state == UNLOADED else ""),
        }


def statistics_members(version: VersionView, statistics: VersionStatistics) -> dict[str, Any]:
    """Return what a version has done. Answers are not remembered under /v2, so no cache is hit or missed."""
    return {
        "name": version.facts.ref.name,
        "version": str(version.facts.ref.version),
        "last_inference": statistics.last_inference_ms,
        "inference_count": statistics.inference_count,
        "execution_count": statistics.execution_count,
        "inference_stats": {
            **{stage: statistics.stage(stage) for stage in (*_OUTCOMES, *_COMPUTE_STAGES)},
            "cache_hit": Total(),
            "cache_miss": Total(),
        },
        "response_stats": {},
        "batch_stats": [
            {"batch_size": size, **{stage: batch.total(stage) for stage in _COMPUTE_STAGES}}
            for size, batch in sorted(statistics.batches.items())
        ],
        "memory_usage": [{"type": "CPU", "id": 0, "byte_size": sum(runner.memory_bytes for runner in version.runners)}],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}


def _config_tensor(spec: TensorSpec, skipped: int) -> dict[str, Any]:
    data_type = "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}"
    return {"name": spec.name, "data_type": data_type, "dims": spec.shape[skipped:]}
