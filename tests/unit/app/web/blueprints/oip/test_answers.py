"""Manifests and states as members of the protocol's answers."""

from datetime import UTC, datetime

import pytest

from app.db.repositories.models import VersionFacts
from app.inference.messages import RunnerState
from app.services.model_catalog import ModelView, VersionView
from app.services.statistics import BatchStatistics, Total, VersionStatistics
from app.web.blueprints.oip.answers import config_members, index_entries, metadata_members, statistics_members
from model_store.manifest import TensorSpec
from model_store.model_ref import ModelRef
from tests.factories.versions import make_manifest
from tests.fakes.inference import make_record


def view_of(number: int, state: str, *, reason: str = "", **runner: object) -> VersionView:
    ref = ModelRef("digits", number)
    facts = VersionFacts(
        ref=ref, digest="", task="tensor", execution="online", size_bytes=1, is_pinned=False,
        created_at=datetime.now(UTC), created_by="test",
    )  # fmt: skip
    return VersionView(facts=facts, state=state, reason=reason, runners=[make_record(ref, **runner)] if runner else [])


def model_of(*versions: VersionView) -> ModelView:
    return ModelView(name="digits", default=1, aliases={}, versions=versions)


def test_versions_are_told_as_text_in_order() -> None:
    model = model_of(view_of(10, "READY"), view_of(2, "READY"))

    assert metadata_members(model, make_manifest())["versions"] == ["2", "10"]


def test_model_without_a_free_first_dimension_takes_no_batches() -> None:
    inputs = [TensorSpec(name="x", datatype="BYTES", shape=[1, 4]), TensorSpec(name="y", datatype="BOOL", shape=[-1])]

    config = config_members(make_manifest(inputs=inputs))

    assert (config["max_batch_size"], "dynamic_batching" in config) == (0, False)
    assert config["input"][0] == {"name": "x", "data_type": "TYPE_STRING", "dims": [1, 4]}
    assert config["input"][1] == {"name": "y", "data_type": "TYPE_BOOL", "dims": [-1]}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RunnerState.READY, "READY"),
        (RunnerState.LOADING, "LOADING"),
        (RunnerState.DRAINING, "UNLOADING"),
        (RunnerState.FAILED, "UNAVAILABLE"),
    ],
)
def test_index_tells_states_in_the_words_of_the_protocol(state: RunnerState, told: str) -> None:
    (entry,) = index_entries(model_of(view_of(1, state, reason="It raised.")))

    assert entry == {"name": "digits", "version": "1", "state": told, "reason": "It raised."}


def test_index_begins_with_the_oldest_and_says_what_is_unloaded() -> None:
    entries = list(index_entries(model_of(view_of(2, "READY"), view_of(1, "UNLOADED"))))

    assert [(entry["version"], entry["state"], entry["reason"]) for entry in entries] == [
        ("1", "UNAVAILABLE", "unloaded"),
        ("2", "READY", ""),
    ]


def test_statistics_are_told_stage_by_stage() -> None:
    statistics = VersionStatistics(last_inference_ms=5)
    statistics.stages["queue"] = Total(3, 300)
    statistics.batches[4] = BatchStatistics(executions=2, stage_ns={"compute_infer": 50})

    members = statistics_members(view_of(1, "READY", memory_bytes=77), statistics)

    assert (members["last_inference"], members["inference_count"], members["execution_count"]) == (5, 8, 2)
    assert members["inference_stats"]["queue"] == Total(3, 300)
    assert members["inference_stats"]["cache_hit"] == Total(0, 0)
    assert members["memory_usage"] == [{"type": "CPU", "id": 0, "byte_size": 77}]
    assert members["batch_stats"] == [
        {
            "batch_size": 4,
            "compute_input": Total(2, 0),
            "compute_infer": Total(2, 50),
            "compute_output": Total(2, 0),
        }
    ]
